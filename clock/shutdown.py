"""Signals become calls on an ordinary thread.

A Python signal handler may interrupt the main thread while it holds a lock, so a handler that sets an event
can deadlock. Here the handler does nothing: the interpreter writes the signal's number into a socket, and a
thread of ours reads it and calls what was registered.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType


@contextmanager
def handling(handlers: Mapping[signal.Signals, Callable[[], object]]) -> Iterator[None]:
    """Call `handlers[signal]` on a thread whenever that signal arrives; the old handlers return at the end.

    HUP stays ignored where it was, as by `nohup`. What the process that started this one has held back comes now.
    Must be entered on the main thread, as Python demands of `signal.signal`.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    thread = threading.Thread(target=_dispatch, args=(reader, handlers), name="signals", daemon=True)
    old_wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    taken = [number for number in handlers if not _is_left_to_nohup(number)]
    old_handlers = {number: signal.signal(number, _do_nothing) for number in taken}
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, handlers)
    thread.start()
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, old in old_handlers.items():
            signal.signal(number, old)
        signal.set_wakeup_fd(old_wakeup)
        writer.close()
        thread.join()
        reader.close()


def _dispatch(reader: socket.socket, handlers: Mapping[signal.Signals, Callable[[], object]]) -> None:
    while numbers := reader.recv(64):
        for number in numbers:
            handler = handlers.get(signal.Signals(number))
            if handler is not None:
                handler()


def _is_left_to_nohup(number: signal.Signals) -> bool:
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Only there so that the interpreter writes to the wakeup socket."""
