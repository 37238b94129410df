"""The end of a clock file's declarations: `run_pending()` while the file is loaded.

A file's own loop would start there. In the thread that loads the file the call raises `EndOfDeclarations`, which
ends the file. In a thread that the file has started it ends that thread, and the file continues to its own end:
the thread's earlier declarations count. A file that does not end by itself then is ended, or refused, from
outside.
"""

from __future__ import annotations

import ast
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import PyDLL, c_ulong, py_object
from os import _exit  # loading replaces os._exit
from pathlib import Path
from types import CodeType, FrameType
from typing import NoReturn

from clock.clocks import SystemClock
from clock.errors import ClockError, DeclarationError
from clock.shutdown import left_running
from clock.timetable.clock_file.loading.source_file import SourceFile, names_in

LOOK_SECONDS = 0.1  # how often threads are looked at
THREAD_SECONDS = 3.0  # for threads of the file that may declare something, after its own end
STUCK_SECONDS = 8.0  # a line of the file that runs for longer, while its loop is in a thread, never ends
SLEEP_SECONDS = 30.0  # for a file that sleeps, and may go on
LEAVE_SECONDS = 3.0  # for an error that is raised in the file from outside
SWALLOWED = 3  # so many calls of run_pending() in one thread: something catches the end each time
ENDLESS_SECONDS = 1.0  # in a loop of the file that only waits
JOIN_SECONDS = 0.5  # for the end of a thread whose loop was reached; that of a pool goes on
_raise_in = PyDLL(None).PyThreadState_SetAsyncExc  # a separate one, as argument types are set on a shared one
_ADVICE = "remove it, and a loop in a thread too: the clock runs the events"
_CATCHES = "this catches SystemExit as well, so run_pending() cannot end the file; write `except Exception:`"
_WAITS = {"sleep", "join", "wait", "pause", "sigwait"}
_CATCH_ALL = {"BaseException", "SystemExit"}


class EndOfDeclarations(SystemExit):
    """The file calls `run_pending()`: its own loop would start."""


def _is_no_end(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], EndOfDeclarations))


class Ending:
    """The end of one load, in the thread that makes it."""

    def __init__(self, source: SourceFile) -> None:
        self.reached = False  # in the thread that loads
        self.failure: str | None = None  # why the load fails, noted on another thread
        self.source = source
        self._loader = threading.get_ident()
        self._others = set(threading.enumerate())
        self._calls = 0
        self._in_threads: set[threading.Thread] = set()  # those that have reached their loop
        self._over = threading.Event()

    def is_thread_of_file(self) -> bool:
        """Whether the current thread was started by the file that is being loaded."""
        return threading.current_thread() not in self._others

    def reach(self) -> NoReturn:
        """End what runs: the file, or a thread of it. Raises EndOfDeclarations."""
        here = threading.current_thread()
        if here.ident == self._loader:
            self._calls += 1
            self.reached = True
            if self._calls >= SWALLOWED:
                leave(f"{swallower(sys._getframe(2))}: {_CATCHES}")
        elif here not in self._in_threads:  # pragma: no branch  # unless a module's thread catches the end
            self._in_threads.add(here)
            self.watch()
        raise EndOfDeclarations

    def watch(self) -> None:
        """End the file from outside if it does not end by itself."""
        threading.Thread(target=self._watch, name="clock: end of the file", daemon=True).start()

    def fail(self, error: BaseException) -> None:
        """Note an error of a thread of the file; the load will raise it."""
        self.failure = self.failure or str(error)
        self.watch()

    @contextmanager
    def silencing(self) -> Iterator[None]:
        """Keep threads and tasks of the file from printing tracebacks of ours; their errors are the load's."""
        before = threading.excepthook

        def hook(args: threading.ExceptHookArgs, /) -> None:
            if isinstance(args.exc_value, ClockError):
                self.fail(args.exc_value)
            elif not isinstance(args.exc_value, EndOfDeclarations):
                before(args)

        threading.excepthook = hook
        logging.getLogger("asyncio").addFilter(_is_no_end)  # for good: a task of the file may be collected later
        try:
            yield
        finally:
            self._over.set()
            if threading.excepthook is hook:
                threading.excepthook = before

    def wait_for_threads(self) -> None:
        """Wait for threads of the file that may declare something. Raises DeclarationError for their errors."""
        self._over.set()
        clock = SystemClock()
        until = clock.monotonic() + THREAD_SECONDS
        while self._may_declare() and not self.failure and clock.monotonic() < until:
            clock.wait(threading.Event(), LOOK_SECONDS / 5)
        left_running.update(set(threading.enumerate()) - self._others)
        for thread in list(self._in_threads):
            thread.join(JOIN_SECONDS)  # while the hook above is there
        if self.failure:
            raise DeclarationError(self.failure)

    def _may_declare(self) -> bool:
        """Whether a thread of the file runs, or will run, a function that declares events or has the loop."""
        threads = set(threading.enumerate()) - self._others - self._in_threads
        names = self.source.functions_of_schedule if threads else ()
        frames = sys._current_frames()
        return any(
            code.co_name in names and code.co_filename == self.source.file
            for thread in threads
            for code in (*_targets(thread), *(frame.f_code for frame in stack(frames.get(thread.ident or 0))))
        )

    def _line(self, line: int) -> int:
        """The line of the file that the loading thread is at; `line` if it is in none."""
        frames = stack(sys._current_frames().get(self._loader))
        return next((frame.f_lineno for frame in frames if frame.f_code.co_filename == self.source.file), line)

    def _watch(self) -> None:
        clock = SystemClock()
        begun = since = clock.monotonic()
        line = 0
        while not clock.wait(self._over, LOOK_SECONDS) and not self.failure:
            here, now = self._line(line), clock.monotonic()
            since, line = (since, here) if here == line else (now, here)
            kind = waiting(self.source.tree, line)
            if kind == "endless" and now - since > ENDLESS_SECONDS:
                break
            if now - begun > SLEEP_SECONDS or (now - since > STUCK_SECONDS and not kind):
                self.failure = f"{self.source.path}:{line}: this line keeps the file from ending; {_ADVICE}"
        if not self._over.is_set():
            _raise_in(c_ulong(self._loader), py_object(EndOfDeclarations))
            if not clock.wait(self._over, LEAVE_SECONDS):  # pragma: no cover  # tests do not trace it
                leave(self.failure or f"{self.source.path}:{line}: this line never returns; {_ADVICE}")


def leave(text: str) -> NoReturn:
    """Print an error and end the process at once: the file's own code cannot be ended in another way."""
    print(f"clock: {text}", file=sys.__stderr__)  # no thread is left to raise it in
    _exit(1)


def _targets(thread: threading.Thread) -> Iterator[CodeType]:
    """The function of a thread, which may not have started."""
    for name in ("_target", "function", "run"):  # of a Thread, a Timer, a subclass
        code = getattr(getattr(thread, name, None), "__code__", None)
        if isinstance(code, CodeType):
            yield code


def waiting(tree: ast.Module, line: int) -> str:
    """The text "endless" if the line is in a loop that only waits, "sleep" if it only waits, else ""."""
    around = _around(tree, line)
    loops = [node for node in around if isinstance(node, ast.While)]
    if loops and all(map(_only_waits, loops[0].body)):
        return "endless"
    return "sleep" if around and _only_waits(around[0]) else ""


def swallower(frame: FrameType | None) -> str:
    """File and line of the handler that catches SystemExit around the innermost frame."""
    place = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "?"
    for outer in stack(frame):
        try:
            tree = ast.parse(Path(outer.f_code.co_filename).read_bytes())
        except (OSError, SyntaxError, ValueError):
            tree = ast.Module([], [])
        lines = [line for node in _around(tree, outer.f_lineno) for line in _catching_lines(node)]
        if lines:
            return f"{outer.f_code.co_filename}:{lines[0]}"
    return place


def stack(frame: FrameType | None) -> Iterator[FrameType]:
    """The frames of a thread, innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def _around(tree: ast.Module, line: int) -> list[ast.stmt]:
    """The statements that hold a line, innermost first."""
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    holding = [node for node in statements if node.lineno <= line <= (node.end_lineno or node.lineno)]
    return sorted(holding, key=lambda node: (node.end_lineno or node.lineno) - node.lineno)


def _only_waits(node: ast.stmt) -> bool:
    if isinstance(node, ast.Try):
        return all(map(_only_waits, node.body))
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        return (getattr(function, "attr", None) or getattr(function, "id", None)) in _WAITS
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _catching_lines(node: ast.stmt) -> Iterator[int]:
    if isinstance(node, ast.Try):
        yield from (handler.lineno for handler in node.handlers if _catches_all(handler.type))
        parts = [part for final in node.finalbody for part in ast.walk(final)]
        if any(isinstance(part, (ast.Continue, ast.Break, ast.Return)) for part in parts):  # that drops the error
            yield node.finalbody[0].lineno
    if isinstance(node, (ast.With, ast.AsyncWith)):
        yield from (node.lineno for item in node.items if _catches_all(item))


def _catches_all(kind: ast.AST | None) -> bool:
    return kind is None or not _CATCH_ALL.isdisjoint(names_in(kind))
