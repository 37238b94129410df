"""The import path: which folders' modules an application can import, and which come first.

The application's folders are the current one, as `python -m` puts it on the path, and those of PYTHONPATH. While
clock imports its own modules these come last: a `redis.py`, a `schedule/` or a `queue.py` of the application must
not replace the module that clock needs. The application's code is imported with its folders first, as in any
program.

Imported before everything else of the package.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # no module is imported here that an application may hide
if TYPE_CHECKING:
    from pathlib import Path

_NAMES = ("clock", "clockd")


def _is_command_line() -> bool:
    """Whether this process was started as `clock`, `clockd` or `python -m` one of them."""
    if sys.argv[:1] == ["-m"]:  # while Python searches for the module
        pairs = zip(sys.orig_argv, sys.orig_argv[1:], strict=False)
        return any(word.startswith("-") and word.endswith("m") and name in _NAMES for word, name in pairs)
    return bool(sys.argv) and os.path.basename(sys.argv[0]) in _NAMES  # noqa: PTH119  # pathlib is not needed here


def installed_first() -> list[str]:
    """The import path with the application's folders last."""
    application = _application_folders()
    return [folder for folder in sys.path if folder not in application] + application


def application_last() -> None:
    """For modules of clock and their dependencies; does nothing outside of the command line."""
    if _is_own_process:
        sys.path[:] = installed_first()


def application_first() -> None:
    """For modules of the application; does nothing outside of the command line."""
    if _is_own_process:
        application = _application_folders()
        sys.path[:] = application + [folder for folder in sys.path if folder not in application]


class own_imports:  # noqa: N801  # it reads as a function; contextlib may be hidden
    """A block that imports modules of clock although the application's folders come first."""

    def __enter__(self) -> None:
        self._path = sys.path[:]
        application_last()

    def __exit__(self, *_: object) -> None:
        sys.path[:] = self._path


def _real(path: Path) -> Path:
    """The path without links; a link to itself stays, and fails when it is opened."""
    return type(path)(os.path.realpath(path))


def application_folder(clock_file: Path) -> Path:
    """The folder of a clock file's application: the folder of the file, or the parent of its `lib`."""
    folder = _real(clock_file).parent
    return folder.parent if folder.name == "lib" else folder


def add_application(clock_file: Path, root: Path | None = None) -> None:
    """Make the modules of `root` importable; without it, those of the current folder and of the application's.

    The clock file's own folder comes last if it is the application's, and is omitted if it is `lib`: files next to
    the clock file must not hide modules.
    """
    beside, here = _real(clock_file).parent, clock_file.cwd().resolve()
    folders = [application_folder(clock_file), *([here] if here != beside else [])] if root is None else [root]
    for folder in folders:
        if str(folder) not in sys.path:
            sys.path.insert(len(sys.path) if root is None and folder == beside else 0, str(folder))


def _application_folders() -> list[str]:
    named = [] if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [folder for folder in sys.path if folder in {*named, "", os.getcwd()}]  # noqa: PTH109  # as above


_is_own_process = _is_command_line()
application_last()
