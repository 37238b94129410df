"""The effects of a job outside its process: each effect is counted, and a crash can be put before or after it.

The recorder watches statements and commits of databases (sqlite3, psycopg, psycopg2, SQLAlchemy, Django), HTTP
(urllib, requests, httpx) except reads, mail by SMTP, files written and moved, commands to Redis that write, pushed
jobs, and functions marked `@effect`.
"""

from __future__ import annotations

import functools
import inspect
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Literal, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

When = Literal["before", "after", "lost"]
Patch = tuple[Any, str, Any]  # an object, the name of its function or method, and the replacement

_PACKAGE = str(Path(__file__).parents[2])


class Crash(BaseException):
    """The process ends here, in this trial."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that a job did: of which kind, what, and at which line of the application."""

    kind: str
    what: str
    place: str

    def __str__(self) -> str:
        return f"{self.place} ({self.kind}: {self.what})"


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """The crash of a trial: before effect `number` (from 0), after it, or after it as if its answer were lost."""

    number: int
    when: When


class Recorder:
    """Counts effects; at the crash point it ends the run, and nothing has an effect any more."""

    def __init__(self, crash: CrashPoint | None = None) -> None:
        self.effects: list[Effect] = []
        self.to_close: list[Callable[[], object]] = []  # resources that a dead process would release
        self.has_crashed = False
        self._crash = crash
        self._is_inside = False

    def around(self, kind: str, what: str, act: Callable[[], T], lost: Callable[[str], Exception]) -> T:
        """Do `act` as an effect; one inside another is part of it. `lost` makes the error that a client sees."""
        if self._is_inside:
            return act()
        when = self._begin(kind, what)
        self._is_inside = True
        try:
            result = act()
        finally:
            self._is_inside = False
        self._finish(when, lost)
        return result

    def patch(
        self,
        owner: Any,
        name: str,
        kind: str,
        lost: Callable[[str], Exception],
        what: Callable[..., str] | None = None,
    ) -> Patch:
        """A patch of the function or method `owner.name`, plain or awaited: its calls are effects of this kind.

        `what` describes a call by its arguments; empty: the call has no effect. Without it, `name` does.
        """
        original, describe = getattr(owner, name), what or (lambda *_, **__: name)

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            act, shown = functools.partial(original, *args, **kwargs), describe(*args, **kwargs)
            return self.around(kind, shown, act, lost) if shown else act()

        @functools.wraps(original)
        async def acall(*args: Any, **kwargs: Any) -> Any:
            shown = describe(*args, **kwargs)
            if not shown or self._is_inside:
                return await original(*args, **kwargs)
            when = self._begin(kind, shown)
            result = await original(*args, **kwargs)  # other tasks may have effects at the same time
            self._finish(when, lost)
            return result

        return owner, name, acall if inspect.iscoroutinefunction(original) else call

    def close(self) -> None:
        """Close everything that the run has left open, as the end of a process does."""
        for close in self.to_close:
            with suppress(sqlite3.ProgrammingError, OSError):  # opened on another thread; gone already
                close()

    def _begin(self, kind: str, what: str) -> When | None:
        """Count an effect; when the crash is to come, if it falls on this one. Raises Crash after the crash."""
        if self.has_crashed:
            raise Crash
        self.effects.append(Effect(kind, what, _place()))
        if self._crash is None or self._crash.number != len(self.effects) - 1:
            return None
        if self._crash.when == "before":
            self._end()
        return self._crash.when

    def _finish(self, when: When | None, lost: Callable[[str], Exception]) -> None:
        if when == "after":
            self._end()
        if when == "lost":
            raise lost("the answer was lost")

    def _end(self) -> None:
        self.has_crashed = True
        raise Crash


def _place() -> str:
    """File and line of the application: the innermost frame that is neither ours nor a library's."""
    for frame in _frames():
        path = Path(frame.f_code.co_filename)
        if _is_application(str(path)):
            shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
            return f"{shown}:{frame.f_lineno}"
    return "?"


def _frames() -> Iterator[FrameType]:
    """The frames of this thread, innermost first, through greenlets, on which SQLAlchemy awaits a database."""
    frame: FrameType | None = sys._getframe(1)
    greenlet: Any = sys.modules.get("greenlet")
    here = greenlet.getcurrent() if greenlet is not None else None
    while frame is not None:
        yield frame
        frame = frame.f_back
        while frame is None and here is not None and here.parent is not None:
            here = here.parent
            frame = here.gr_frame


def _is_application(file: str) -> bool:
    return not (file.startswith((_PACKAGE, sys.prefix, sys.base_prefix, "<")) or "site-packages" in file)


_recorder: Recorder | None = None


def current() -> Recorder | None:
    """The recorder of the trial under way, if there is one."""
    return _recorder


def effect(function: Callable[P, T]) -> Callable[P, T]:
    """Mark a function as one side effect, such as a call to a payment service, for `assert_idempotent`.

    >>> @effect
    ... def charge(customer: str) -> str:
    ...     return f"charged {customer}"
    >>> charge("Ada")
    'charged Ada'
    """

    @functools.wraps(function)
    def watched(*args: P.args, **kwargs: P.kwargs) -> T:
        if _recorder is None:
            return function(*args, **kwargs)
        name = getattr(function, "__qualname__", "effect").rpartition(".")[2]
        return _recorder.around("effect", name, lambda: function(*args, **kwargs), ConnectionError)

    return watched


@contextmanager
def watching(recorder: Recorder, patches_of: Callable[[Recorder], Sequence[Patch]]) -> Iterator[None]:
    """Have `recorder` see what is done inside the block."""
    global _recorder  # a trial has the process to itself
    patches = patches_of(recorder)
    with ExitStack() as stack:
        for owner, name, replacement in [*patches, *_taken(patches)]:
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, replacement)
        before, _recorder = _recorder, recorder
        try:
            yield
        finally:
            _recorder = before


def _taken(patches: Sequence[Patch]) -> Iterator[Patch]:
    """The patches of these functions in modules that import them by name: `from sqlite3 import connect`."""
    replacements = {id(getattr(owner, name)): new for owner, name, new in patches if isinstance(owner, ModuleType)}
    for module in list(sys.modules.values()):
        if _is_application(getattr(module, "__file__", None) or "<built-in>"):
            for name, value in list(vars(module).items()):
                if id(value) in replacements:
                    yield module, name, replacements[id(value)]
