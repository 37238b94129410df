"""The pages of the dashboard and the actions of their buttons, a module of this folder for each subject.

A module may have two tables: `PAGES`, path -> function that gives the page, and `ACTIONS`, name -> action.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from clock.web.action import Action
from clock.web.page import Show

PAGES: dict[str, Show] = {}
ACTIONS: dict[str, Action[Any]] = {}
for _found in iter_modules(__path__):
    _module = import_module(f"{__name__}.{_found.name}")
    PAGES |= getattr(_module, "PAGES", {})
    ACTIONS |= getattr(_module, "ACTIONS", {})

__all__ = ["ACTIONS", "PAGES"]
