"""The job classes that this process knows, by the name that payloads carry.

A payload's class is found only here: a name from Redis is never imported.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
from pathlib import Path

from clock.errors import ClockError, ConfigurationError, DuplicateJobClass, UnknownJobClass, described
from clock.forking import child_ends_here
from clock.import_hints import hint
from clock.job.context import JobClass
from clock.store.ledger.held_pushes import dropping

_PACKAGE = Path(__file__).parent.parent

logger = logging.getLogger("clock.job")
_NO_JOBS = {"__pycache__", "node_modules"}  # npm's packages may bring Python files
_classes: dict[str, JobClass] = {}


def register(job: JobClass) -> None:
    """Make `job` known under its wire name. Raises DuplicateJobClass if another class has that name."""
    known = _classes.get(job.wire_name)
    if known is not None and (known.__module__, known.__qualname__) != (job.__module__, job.__qualname__):
        raise DuplicateJobClass(job.wire_name, known.__module__, job.__module__)
    _classes[job.wire_name] = job


def forget(job: JobClass) -> None:
    """Make `job` unknown again; for tests that define their own classes."""
    _classes.pop(job.wire_name, None)


def lookup(name: str) -> JobClass:
    """The job class that payloads call `name`. Raises UnknownJobClass."""
    try:
        return _classes[name]
    except KeyError:
        raise UnknownJobClass(name) from None


def knows(name: str) -> bool:
    """Whether a job class of this name is there."""
    return name in _classes


def names() -> list[str]:
    """The names of all job classes that this process has imported."""
    return sorted(_classes)


def import_jobs(*paths: Path, root: Path | None = None) -> list[str]:
    """Import the modules at `paths`, each a file or a folder with modules at any depth; their names.

    A path lies below `root` (the current folder if not given), which is put on the import path. Hidden files and
    folders, virtual environments and broken links are skipped; a file with several links is imported once.
    Raises ConfigurationError if a path does not exist or a module cannot be imported: file and line.
    """
    root = (root or Path.cwd()).resolve()
    return [name for path in paths for name in _import_all(root / path, root)]


def look_at_jobs(*paths: Path) -> None:
    """`import_jobs` for commands that only look at an application: jobs that the modules push are dropped."""
    with dropping():
        import_jobs(*paths)


def _import_all(path: Path, root: Path) -> list[str]:
    if not path.exists():
        raise ConfigurationError(f"no jobs folder {path}; {_hint_of_missing_path(path, root)}")
    if path.is_file() and path.suffix != ".py":
        raise ConfigurationError(f"{path} is not a Python file; give a folder of jobs, or a file *.py, with -r")
    path = path.resolve()
    if not path.is_relative_to(root):
        root = path.parent
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    names = []
    for module in [path] if path.is_file() else _modules_under(path):
        parts = module.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if any("." in part for part in parts):
            logger.warning("Skipping %s: a module's name cannot contain a dot", module)
            continue
        import_job_module(name, module)
        names.append(name)
    return names


def _hint_of_missing_path(path: Path, root: Path) -> str:
    """The hint for a path that is missing: often it is the name of a module."""
    folder = path.parent.joinpath(*path.name.split("."))
    for found in (folder, folder.with_name(f"{folder.name}.py")) if path.name.strip(".") else ():
        if found.exists():
            return f"did you mean {os.path.relpath(found, root)}?"
    return "give another one with -r"


def _modules_under(folder: Path) -> list[Path]:
    """The Python files under a folder, in order; links are followed, and each file counts once."""
    found: dict[Path, Path] = {}
    seen: set[Path] = set()
    for base, folders, files in os.walk(folder, followlinks=True):
        here = Path(base)
        if here.resolve() in seen or (here / "pyvenv.cfg").exists():  # a link to a folder above, an environment
            folders.clear()
            continue
        seen.add(here.resolve())
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _NO_JOBS)
        modules = [here / name for name in files if name.endswith(".py") and not name.startswith(".")]
        for module in sorted(modules, key=lambda path: (path.is_symlink(), path)):
            if module.is_file():  # not a broken link
                found.setdefault(module.resolve(), module)
    return sorted(found.values())


def import_job_module(name: str, path: Path) -> None:
    """Import the module `name` of the file at `path`. Raises ConfigurationError: file, line and error."""
    try:
        with child_ends_here():
            importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # any error of the user's module is reported in one line
        raise ConfigurationError(_hidden(name, path, error) or _import_error(path, error)) from error


def _hidden(name: str, path: Path, error: BaseException) -> str:
    """The other package that has the name of the module's folder, so the module is not found; else empty."""
    package = sys.modules.get(name.partition(".")[0])
    if not isinstance(error, ModuleNotFoundError) or error.name != name or package is None:
        return ""
    return (
        f"{path}: the package {package.__name__} of {package.__file__ or package.__path__} hides it; "
        f"put an __init__.py into the folder {package.__name__}, or rename it"
    )


def _import_error(path: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        line = f": {error.text.strip()}" if error.text else ""
        return f"{error.filename}:{error.lineno or 1}: {type(error).__name__}: {error.msg}{line}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and not Path(frame.filename).is_relative_to(_PACKAGE)
    ]  # of the user's code
    where = f"{frames[-1].filename}:{frames[-1].lineno or 1}" if frames else f"{path}:1"
    if isinstance(error, ClockError):
        return f"{where}: {error}"
    return f"{where}: {described(error)}{hint(error)}"
