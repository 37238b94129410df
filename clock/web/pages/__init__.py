"""The dashboard's pages. Each module of this folder has a table `PAGES`: path -> function that gives the page."""

from importlib import import_module
from pkgutil import iter_modules

from clock.web.page import Show

PAGES: dict[str, Show] = {}
for _module in iter_modules(__path__):
    PAGES |= import_module(f"{__name__}.{_module.name}").PAGES

__all__ = ["PAGES"]
