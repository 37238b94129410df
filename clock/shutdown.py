"""Signals become calls on an ordinary thread.

A Python signal handler may interrupt the main thread while it holds a lock, so a handler that sets an event can
deadlock. Here the handler does nothing: the interpreter writes the signal's number into a socket, and a separate
thread reads it and calls the registered functions.

A forked child has a copy of that socket, so a signal to the child would reach its parent. Therefore the signals
are blocked during a fork, and the child starts with the previous handlers. A child that receives SIGINT that early
ends.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import FrameType
from typing import Any
from weakref import WeakSet

from clock.forking import close_in_child, end_child, flush_output

left_running = WeakSet[threading.Thread]()  # threads of clock files whose load is over; Python would wait for them


@dataclass(frozen=True, slots=True)
class _Taken:
    """The signals that this process handles, with their previous handlers and the previous wakeup fd."""

    handlers: Mapping[signal.Signals, Any]
    wakeup: int

    def give_back(self) -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: not set by Python
        signal.set_wakeup_fd(self.wakeup)


_taken: _Taken | None = None  # set by the main thread
_forking = threading.local()  # `mask`: the signal mask of a thread that forks, from before the fork


@contextmanager
def handling(handlers: Mapping[signal.Signals, Callable[[], object]]) -> Iterator[None]:
    """Call `handlers[signal]` on a thread whenever that signal arrives; the old handlers return at the end.

    HUP stays ignored if it was, as under `nohup`. Signals that the parent process has blocked arrive now. Call it
    on the main thread, as `signal.signal` requires.
    """
    global _taken  # signals are the process's own
    _handle_forks()
    reader, writer = socket.socketpair()
    close_in_child(reader)
    close_in_child(writer)
    writer.setblocking(False)
    thread = threading.Thread(target=_dispatch, args=(reader, handlers), name="signals", daemon=True)
    old_wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    is_under_nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    numbers = [number for number in handlers if number != signal.SIGHUP or not is_under_nohup]
    outer, taken = _taken, _Taken({number: signal.getsignal(number) for number in numbers}, old_wakeup)
    _taken = taken
    for number in numbers:
        signal.signal(number, _do_nothing)
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, handlers)
    thread.start()
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        taken.give_back()
        _taken = outer
        writer.close()
        thread.join()
        reader.close()


def _dispatch(reader: socket.socket, handlers: Mapping[signal.Signals, Callable[[], object]]) -> None:
    while numbers := reader.recv(64):
        for number in numbers:
            handler = handlers.get(number)  # type: ignore[call-overload]  # a signal equals its number
            if handler is not None:
                handler()


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Does nothing; with a handler the interpreter writes to the wakeup socket."""


def _before_fork() -> None:
    if _taken:
        flush_output()  # or else the child would write its copy again
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _taken.handlers if _taken else ())


def _after_fork() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _begin_child() -> None:
    global _taken  # see above
    if _taken:
        _Taken(_taken.handlers, wakeup=-1).give_back()  # another wakeup fd would be the parent's, too
        _taken = None
    try:
        _after_fork()
    except BaseException as error:  # noqa: BLE001  # KeyboardInterrupt: Python drops what is raised during a fork
        end_child(error)


@cache
def _handle_forks() -> None:
    """Block signals until the fork hooks of other modules have run: Python drops a KeyboardInterrupt in them."""
    if hasattr(os, "register_at_fork"):  # pragma: no branch  # Windows has no forks
        os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_begin_child)
