"""Asking an event's condition for `check`, which must not change anything nor take long.

A condition may do more than check the due instant: read a flag in Redis, write a file, call a server. If a
condition uses anything outside the process, it is stopped there and not judged.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import datetime
from typing import NamedTuple

from clock.clocks import SystemClock

TRIAL_SECONDS = 2.0  # for the condition of one event: a year of minutes takes 0.2 s
_REACHES_OUT = (
    "socket.", "subprocess.", "os.", "shutil.", "sqlite3.", "urllib.", "http.", "smtplib.", "ftplib.", "signal.",
)  # fmt: skip
_READS = {"os.listdir", "os.scandir", "os.walk", "os.fwalk", "os.putenv", "os.unsetenv", "os.add_dll_directory"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class _Trial(threading.local):
    is_on = False
    has_reached_out = False


_trial = _Trial()
_hooks: list[bool] = []  # whether the hook is there: it cannot be taken away


class Answers(NamedTuple):
    """How many instants a condition refuses, if it refuses all of them, and its error at the first one."""

    refused: int = 0
    error: BaseException | None = None


def ask(condition: Callable[[datetime], object], dues: Iterable[datetime]) -> Answers:
    """Ask a condition until it accepts an instant.

    No answer if it reaches for anything outside the process, or takes longer than TRIAL_SECONDS in all.
    """
    clock, count = SystemClock(), 0
    until = clock.monotonic() + TRIAL_SECONDS
    with _nothing_outside() as trial:
        for due in dues:
            try:
                is_refused = not condition(due)
            except (Exception, SystemExit) as error:  # noqa: BLE001  # the user's function may raise anything
                return Answers(error=None if count or trial.has_reached_out else error)
            if not is_refused or trial.has_reached_out or clock.monotonic() > until:
                return Answers()
            count += 1
    return Answers(count)


@contextmanager
def _nothing_outside() -> Iterator[_Trial]:
    """Refuse, in this thread, what reaches outside the process, and drop what is printed."""
    if not _hooks:
        _hooks.append(True)
        sys.addaudithook(_refuse)
    _trial.is_on, _trial.has_reached_out = True, False
    try:
        with redirect_stdout(io.StringIO()):
            yield _trial
    finally:
        _trial.is_on = False


def _refuse(  # pragma: no cover  # Python does not trace audit hooks
    event: str, arguments: tuple[object, ...], trial: _Trial = _trial
) -> None:
    # `trial` is bound here: the interpreter calls its hooks until its end, when this module has no names any more.
    if not trial.is_on:
        return
    flags = arguments[2] if event == "open" and len(arguments) > 2 else 0
    writes = isinstance(flags, int) and flags & _WRITES
    if writes or (event.startswith(_REACHES_OUT) and event not in _READS):
        trial.has_reached_out = True
        raise PermissionError("clock check evaluates conditions but does not allow them to change anything")
