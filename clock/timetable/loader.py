"""Loading a clock file: it is run once, from its path, and what it declared becomes a timetable.

It runs under a module name of its own, because as `clock` it would hide this package; for the same reason its
folder is not put on the import path, but the application's root is.
"""

from __future__ import annotations

import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from clock.errors import ClockError, ConfigurationError, DeclarationError
from clock.timetable.draft import Draft, drafting
from clock.timetable.machine_zone import machine_zone
from clock.timetable.timetable import Timetable

_MODULE = "__clock_file__"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def load(path: str | os.PathLike[str] = "lib/clock.py", *, root: Path | None = None) -> Timetable:
    """Run the clock file at `path` and return the timetable that it declares.

    `root`, the current folder if not given, is the application's: its modules can be imported by the file.
    Raises ConfigurationError where the file cannot be read, DeclarationError for what it declares or raises;
    both begin with file and line.
    """
    path = Path(path)
    root = (root or Path.cwd()).resolve()
    try:
        code = compile(path.read_bytes(), str(path.resolve()), "exec", dont_inherit=True)
    except OSError as error:
        raise ConfigurationError(f"there is no clock file {path}: {error.strerror}") from error
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise DeclarationError(f"{path}:{line}: {type(error).__name__}: {getattr(error, 'msg', error)}") from error
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    module = ModuleType(_MODULE)
    module.__file__ = str(path.resolve())
    draft = Draft(path, _EPOCH, machine_zone(os.environ))
    before = sys.modules.get(_MODULE)
    sys.modules[_MODULE] = module
    try:
        with drafting(draft):
            exec(code, vars(module))  # noqa: S102  # the user's own file, as `python FILE` would
        return draft.finish()
    except (DeclarationError, ConfigurationError):
        raise
    except ClockError as error:
        raise DeclarationError(f"{_raised_at(error, path)}: {error}") from error
    except (Exception, SystemExit) as error:  # whatever the file raises is told in one line
        raise DeclarationError(f"{_raised_at(error, path)}: {type(error).__name__}: {error}") from error
    finally:
        del sys.modules[_MODULE]
        if before is not None:
            sys.modules[_MODULE] = before


def _raised_at(error: BaseException, path: Path) -> str:
    """The line of the clock file that `error` came out of."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path.resolve())
    ]
    return f"{path}:{lines[-1] if lines else 1}"
