"""Running a clock file's code, once, as a module or as a script."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from clock.errors import ClockError, ConfigurationError, DeclarationError, described
from clock.forking import child_ends_here
from clock.import_hints import hint
from clock.timetable.clock_file import draft
from clock.timetable.clock_file.loading.ending import Ending, EndOfDeclarations
from clock.timetable.clock_file.loading.source_file import ASYNC_PASSING, END, IS_ENDING, PASSING, SourceFile

_PASSED = ("clock", "importlib")  # packages between the user's code and an error
_MODULE = "__clock_file__"  # as `clock` it would hide this package


@contextmanager
def passing(wrapped: Any) -> Iterator[Any]:
    """Replace a context manager: at the end of the declarations it does not exit, as the program goes on."""
    with ExitStack() as stack:
        entered = stack.enter_context(wrapped)
        try:
            yield entered
        except EndOfDeclarations:
            stack.pop_all()
            raise


@asynccontextmanager
async def async_passing(wrapped: Any) -> AsyncIterator[Any]:
    """Replace an asynchronous context manager: at the end of the declarations it does not exit."""
    async with AsyncExitStack() as stack:
        entered = await stack.enter_async_context(wrapped)
        try:
            yield entered
        except EndOfDeclarations:
            stack.pop_all()
            raise


_HELPERS = {
    END: EndOfDeclarations,
    IS_ENDING: lambda: isinstance(sys.exc_info()[1], EndOfDeclarations),
    PASSING: passing,
    ASYNC_PASSING: async_passing,
}


def run(source: SourceFile, ending: Ending) -> dict[str, object]:
    """Run the file's code. Returns the names that it defines.

    A script for the `schedule` package runs as `__main__`, any other file as a module. `sys.argv` is its path.
    Raises DeclarationError for an invalid declaration or an error of the file.
    """
    code = source.code
    module = ModuleType("__main__" if source.is_script else _MODULE)
    module.__file__ = code.co_filename
    vars(module).update(_HELPERS)
    with (
        _in_place(module),
        _replaced(sys, argv=[str(source.path)]),
        _no_processes(source),
        _no_silent_end(),
        ending.silencing(),
    ):
        try:
            with child_ends_here():
                exec(code, vars(module))  # noqa: S102  # the user's own file, as `python FILE` would
        except (DeclarationError, ConfigurationError, KeyboardInterrupt):
            raise
        except ClockError as error:
            at = f"{_raised_at(error, source)}: {_in_module(error, source)}"
            raise DeclarationError(f"{at}{error}") from error
        except SyntaxError as error:
            raise DeclarationError(_syntax_error(error, source)) from error
        except BaseException as error:  # any error of the file is reported in one line
            if not isinstance(error, EndOfDeclarations) and not (isinstance(error, SystemExit) and ending.reached):
                what = _described(error) + hint(error)
                raise DeclarationError(f"{_raised_at(error, source)}: {what}") from error
        ending.wait_for_threads()
    return vars(module)


def _described(error: BaseException) -> str:
    """The error in one line. Python's text about a number that is too long names a function of `sys`."""
    if isinstance(error, ValueError) and str(error).startswith("Exceeds the limit ("):
        return f"a number has more than {sys.get_int_max_str_digits():,} digits"
    return described(error)


@contextmanager
def _replaced(place: Any, **values: object) -> Iterator[None]:
    """Replace attributes of a module or class."""
    before = {name: getattr(place, name) for name in values}
    try:
        for name, value in values.items():
            setattr(place, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(place, name, value)


@contextmanager
def _in_place(module: ModuleType) -> Iterator[None]:
    name = module.__name__
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        yield
    finally:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before


@contextmanager
def _no_processes(source: SourceFile) -> Iterator[None]:
    """Refuse to start processes from a script: what they declare is lost, and their loops would run the jobs."""
    if source.is_script:
        base = import_module("multiprocessing.process").BaseProcess  # only here: it takes 10 ms
        with _replaced(os, fork=_refuse_process), _replaced(base, start=_refuse_process):
            yield
    else:
        yield


def _refuse_process(*_: object) -> None:
    error = DeclarationError(
        f"{draft.where()}: this starts a process each time that the file is loaded; "
        "declare the events in the file itself, without a loop: the clock runs them"
    )
    draft.current().ending.fail(error)
    raise error


@contextmanager
def _no_silent_end() -> Iterator[None]:
    """Refuse `os._exit` and `os.exec*` on this thread: the command that loads the file would end silently."""
    loading, loader = True, (os.getpid(), threading.get_ident())

    def refusing(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def refuse(*args: Any, **options: Any) -> object:
            if not loading or (os.getpid(), threading.get_ident()) != loader:  # a forked child; a watchdog of ours
                return function(*args, **options)
            raise ClockError(f"os.{name}() ends the process that loads this file; remove it")

        return refuse

    names = [name for name in dir(os) if name == "_exit" or name.startswith("exec")]
    try:
        with _replaced(os, **{name: refusing(name, getattr(os, name)) for name in names}):
            yield
    finally:
        loading = False


def _raised_at(error: BaseException, source: SourceFile) -> str:
    """The line of the clock file that `error` came out of."""
    frames = traceback.walk_tb(error.__traceback__)
    *_, line = (line for frame, line in frames if frame.f_code.co_filename == source.file)
    return f"{source.path}:{line}"


def _in_module(error: ClockError, source: SourceFile) -> str:
    """The line of another module that `error` came out of, as "jobs/mail.py:5: "; empty: none."""
    *_, (file, line) = (
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] not in _PASSED
    )
    return "" if file == source.file else f"{draft.shown(file)}:{line}: "


def _syntax_error(error: SyntaxError, source: SourceFile) -> str:
    """File, line and error. If the file compiles a text, its own line counts."""
    if error.filename is None or not Path(error.filename).is_file():
        return f"{_raised_at(error, source)}: {_described(error)}"
    line = f": {error.text.strip()}" if error.text else ""
    at = f"{draft.shown(error.filename)}:{error.lineno or 1}"
    return f"{at}: {type(error).__name__}: {error.msg}{line}"
