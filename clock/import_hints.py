"""Notes on the likely causes of import errors of the application's code."""

from __future__ import annotations

import os
import re
import sys
from types import ModuleType

from clock.printable import closest

_OURS = ("clock", "clockd")
_MISSING = re.compile(r"cannot import name '(\w+)'|has no attribute '(\w+)'")


def hint(error: BaseException) -> str:
    """A note on the likely cause of an error of the application's code; "" if it is not known."""
    if isinstance(error, ModuleNotFoundError) and error.name == "django.tasks":
        return "; with Django before 6: pip install django-tasks, and import from django_tasks"
    if not isinstance(error, (ImportError, AttributeError)):
        return ""
    obj = getattr(error, "obj", None)
    module = (obj.__name__ if isinstance(obj, ModuleType) else error.name) or ""
    return _misspelt(error, module) or _clash(module.partition(".")[0])


def _misspelt(error: ImportError | AttributeError, module: str) -> str:
    missing = _MISSING.search(str(error))
    if module not in _OURS or not missing:
        return ""
    return closest(missing[1] or missing[2], sys.modules[module].__all__, "", before="; ")


def _clash(top: str) -> str:
    """A note on the file of the application that has the name of the imported module `top`; or else empty."""
    taken = getattr(sys.modules.get(top), "__file__", None)
    if taken is None:
        return ""
    paths = (os.path.join(folder, top) for folder in sys.path)  # noqa: PTH118  # a path may be any text
    files = (file for path in paths for file in (f"{path}.py", path) if _is_importable(file))
    file = next(files, taken)
    if taken.startswith(os.path.abspath(file)):  # noqa: PTH100
        return ""
    return f"; {file} has the name of {taken}, which is imported in its place: rename it"


def _is_importable(file: str) -> bool:
    """Whether it is a module or a package; the program `bin/clock` is neither."""
    return os.path.isdir(file) or (file.endswith(".py") and os.path.isfile(file))  # noqa: PTH112, PTH113
