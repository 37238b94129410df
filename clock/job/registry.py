"""The job classes that this process knows, by the name that payloads carry.

A payload's class is found here and nowhere else: nothing that Redis says is ever imported.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from clock.errors import ClockError, ConfigurationError, DuplicateJobClass, UnknownJobClass
from clock.forking import child_ends_here
from clock.import_path import clash

if TYPE_CHECKING:
    from clock.job.job import Job

_PACKAGE = Path(__file__).parent.parent

_classes: dict[str, type[Job]] = {}


def register(job: type[Job]) -> None:
    """Make `job` known under its wire name. Raises DuplicateJobClass if another class has that name."""
    known = _classes.get(job.wire_name)
    if known is not None and (known.__module__, known.__qualname__) != (job.__module__, job.__qualname__):
        raise DuplicateJobClass(job.wire_name, known.__module__, job.__module__)
    _classes[job.wire_name] = job


def forget(job: type[Job]) -> None:
    """Make `job` unknown again; for tests that make classes of their own."""
    _classes.pop(job.wire_name, None)


def lookup(name: str) -> type[Job]:
    """The job class that payloads call `name`. Raises UnknownJobClass."""
    try:
        return _classes[name]
    except KeyError:
        raise UnknownJobClass(name) from None


def knows(name: str) -> bool:
    """Whether a job class of this name is there."""
    return name in _classes


def import_jobs(folder: Path, *, root: Path | None = None) -> list[str]:
    """Import every module under `folder`, and return their names.

    `folder` lies below `root` (the current folder if not given), which is put on the import path.
    Raises ConfigurationError where there is no such folder, or where a module cannot be imported: file and line.
    """
    root = (root or Path.cwd()).resolve()
    folder = (root / folder).resolve()
    if not folder.is_dir():
        raise ConfigurationError(f"there is no folder {folder} to load jobs from; name one with -r")
    if not folder.is_relative_to(root):
        root = folder.parent
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    names = []
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        _import(name, path)
        names.append(name)
    return names


def _import(name: str, path: Path) -> None:
    try:
        with child_ends_here():
            importlib.import_module(name)
    except (Exception, SystemExit) as error:  # whatever the user's module raises is told in a line
        raise ConfigurationError(_hidden(name, path, error) or _told(path, error)) from error


def _hidden(name: str, path: Path, error: BaseException) -> str:
    """Where the module itself is not found, because another package has the name of its folder; else nothing."""
    package = sys.modules.get(name.partition(".")[0])
    if not isinstance(error, ModuleNotFoundError) or error.name != name or package is None:
        return ""
    return (
        f"{path}: the package {package.__name__} of {package.__file__ or package.__path__} hides it; "
        f"put an __init__.py into the folder {package.__name__}, or call it otherwise"
    )


def _told(path: Path, error: BaseException) -> str:
    """File, line and error."""
    if isinstance(error, SyntaxError):
        line = f": {error.text.strip()}" if error.text else ""
        return f"{error.filename}:{error.lineno or 1}: {type(error).__name__}: {error.msg}{line}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
    where = f"{frames[-1].filename}:{frames[-1].lineno or 1}" if frames else f"{path}:1"
    if isinstance(error, ClockError):
        return f"{where}: {error}"
    return f"{where}: {type(error).__name__}: {error}{clash(error)}"


def _is_ours(filename: str) -> bool:
    """Whether a file is the package's, or the machinery of importing: nobody looks for a mistake there."""
    return "importlib" in filename or Path(filename).is_relative_to(_PACKAGE)
