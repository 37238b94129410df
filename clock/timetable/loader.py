"""Loading a clock file: it is run once, from its path, and what it declared becomes a timetable.

It runs under a module name of its own, because as `clock` it would hide this package; for the same reason its
folder never goes to the front of the import path. A load leaves the process as it was: the import path, the
`schedule` package, and the modules that declared something, which the next load runs again. Other modules that the
file imports stay imported, as for any program.
"""

from __future__ import annotations

import gc
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import CodeType, ModuleType

from clock.config import Declared
from clock.errors import ClockError, ConfigurationError, DeclarationError
from clock.forking import child_ends_here
from clock.import_path import clash
from clock.timetable.adoption import adopt, standing_in
from clock.timetable.draft import Draft, drafting
from clock.timetable.machine_zone import machine_zone
from clock.timetable.scheduler import EndOfDeclarations, Scheduler
from clock.timetable.timetable import Timetable
from clock.timetable.yaml_events import FindJob, entry_in_yaml

_MODULE = "__clock_file__"
_SCRIPT_GUARD = re.compile(r"if\s*\(?\s*__name__\s*==\s*['\"]__main__['\"]")
#: Held while a file is loaded: the import path and the `schedule` package are the load's for that time.
_lock = threading.RLock()


def load(
    path: str | os.PathLike[str] = "lib/clock.py",
    *,
    root: Path | None = None,
    declared: Sequence[Declared] = (),
    find_job: FindJob | None = None,
) -> Timetable:
    """Run the clock file at `path` and return the timetable that it declares.

    `declared` are further events, of YAML files, whose job classes `find_job` finds by name; where there are any,
    the clock file may be missing.

    The file can import the modules of `root`, the application's folder; where that is not given, those of the
    current folder and of `application_folder(path)`. Raises ConfigurationError where the file cannot be read,
    DeclarationError for what it declares or raises; both begin with file and line.
    """
    path = Path(path)
    code = None
    if declared and not path.exists():
        path = Path(declared[0].where.rpartition(":")[0])
    else:
        code = _compiled(path)
    scheduler = Scheduler()
    draft = Draft(path, lambda: machine_zone(os.environ), scheduler)
    with (
        _lock,
        _no_search(),
        _import_path(path, root),
        _modules(draft),
        standing_in(scheduler) as own,
        drafting(draft),
    ):
        names = {} if code is None else _run(code, path)
        adopt(own, names.values())
        if find_job is not None:
            draft.entries += filter(None, (entry_in_yaml(event, find_job) for event in declared))
        timetable = replace(draft.finish(), names=names)
    if code is not None and not (timetable.events or timetable.synced):
        _check_guard(path)
    return timetable


def application_folder(path: Path) -> Path:
    """The folder of a clock file's application: the one that holds the file, or that holds its `lib`."""
    folder = path.resolve().parent
    return folder.parent if folder.name == "lib" else folder


def _compiled(path: Path) -> CodeType:
    try:
        code: CodeType = compile(path.read_bytes(), str(path.resolve()), "exec", dont_inherit=True)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"there is no clock file {path}; name another, or have one written: clock new clock"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"there is no clock file {path}: {error.strerror}") from error
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        text = getattr(error, "text", None) or ""
        shown = f": {text.strip()}" if text.strip() else ""
        raise DeclarationError(
            f"{path}:{line}: {type(error).__name__}: {getattr(error, 'msg', error)}{shown}"
        ) from error
    return code


@contextmanager
def _no_search() -> Iterator[None]:
    """Without the search for garbage, which would go through all events again and again while they are made."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def _import_path(path: Path, root: Path | None) -> Iterator[None]:
    before = sys.path[:]
    front = (root or Path.cwd()).resolve()
    if str(front) not in sys.path and (root or front != path.resolve().parent):
        sys.path.insert(0, str(front))
    if root is None:
        sys.path.append(str(application_folder(path)))  # at the end: what lies beside the file must hide nothing
    try:
        yield
    finally:
        sys.path[:] = before


@contextmanager
def _modules(draft: Draft) -> Iterator[None]:
    """Forget, afterwards, the modules that were imported in between and declared something."""
    before = set(sys.modules)
    try:
        yield
    finally:
        for name in draft.modules - before:
            module = sys.modules.pop(name, None)
            package = sys.modules.get(name.rpartition(".")[0])
            if vars(package or object).get(name.rpartition(".")[2]) is module is not None:
                delattr(package, name.rpartition(".")[2])


def _run(code: CodeType, path: Path) -> dict[str, object]:
    """Run the file's code; the names that it defines."""
    module = ModuleType(_MODULE)
    module.__file__ = code.co_filename
    before = sys.modules.get(_MODULE)
    sys.modules[_MODULE] = module
    try:
        with child_ends_here():
            exec(code, vars(module))  # noqa: S102  # the user's own file, as `python FILE` would
    except EndOfDeclarations:
        pass
    except (DeclarationError, ConfigurationError):
        raise
    except ClockError as error:
        raise DeclarationError(f"{_raised_at(error, path)}: {error}") from error
    except (Exception, SystemExit) as error:  # whatever the file raises is told in one line
        what = f"{type(error).__name__}: {error}{clash(error)}"
        raise DeclarationError(f"{_raised_at(error, path)}: {what}") from error
    finally:
        sys.modules.pop(_MODULE, None)
        if before is not None:
            sys.modules[_MODULE] = before
    return vars(module)


def _check_guard(path: Path) -> None:
    """Refuse a file whose declarations wait for being run as a script."""
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if _SCRIPT_GUARD.match(line):
            raise DeclarationError(
                f"{path}:{number}: no event is declared; what stands under this line is not run when a clock file "
                "is loaded, so take the declarations out of it"
            )


def _raised_at(error: BaseException, path: Path) -> str:
    """The line of the clock file that `error` came out of."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path.resolve())
    ]
    return f"{path}:{lines[-1] if lines else 1}"
