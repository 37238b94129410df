"""Processes that the user's code forks: resources of this process, and the end of a child.

A job, an action or a module of the application may fork, itself or by `multiprocessing`. When the child leaves
that code it ends: it has the identity of its parent, so its next steps would happen twice.

`forks` differs between parent and child. Comparing it costs less than reading the process id.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import NoReturn, Protocol
from weakref import WeakSet

FLUSH_SECONDS = 1.0  # for the child's last output: a thread of the parent may have held a stream's lock

forks = 0  #: number of forks between this process and the process that imported this module


class Closeable(Protocol):
    """Anything with a file descriptor that `close` closes."""

    def close(self) -> object:
        """Close it."""


class Restartable(Protocol):
    """An object with a thread or a lock, which a forked child must not wait for."""

    def begin_in_child(self) -> object:
        """Forget the parent's threads, and replace the locks that they may hold."""


_parents_own: WeakSet[Closeable] = WeakSet()
_restarted: WeakSet[Restartable] = WeakSet()


class child_ends_here:  # noqa: N801  # it is used like a function, and a generator would cost more per job
    """End a process that was forked inside the block and leaves it. The parent passes through."""

    __slots__ = ("_forks",)

    def __enter__(self) -> None:
        self._forks = forks

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._forks != forks:
            end_child(error)


def end_child(error: BaseException | None = None) -> NoReturn:
    """End this forked process at once, as Python would end it: with its exit code, and a traceback on stderr.

    No exit handler runs, because they belong to the parent. Only buffered output is written.
    """
    code = _exit_code(error)
    flushing = threading.Thread(target=flush_output, daemon=True)
    flushing.start()
    flushing.join(FLUSH_SECONDS)
    os._exit(code)


def in_child(call: Callable[[], object]) -> None:
    """Call `call` in every process that is forked from now on, before anything else happens there."""
    if hasattr(os, "register_at_fork"):  # pragma: no branch  # Windows has no forks
        os.register_at_fork(after_in_child=call)


def before_fork(call: Callable[[], object]) -> None:
    """Call `call` before each fork from now on, in the process and on the thread that forks."""
    if hasattr(os, "register_at_fork"):  # pragma: no branch  # Windows has no forks
        os.register_at_fork(before=call)


def close_in_child(owned: Closeable) -> None:
    """Close `owned`, such as a socket, in every forked child: no child may keep it open."""
    _parents_own.add(owned)


def restart_in_child(owner: Restartable) -> None:
    """Call `owner.begin_in_child` in every forked child, as long as the owner lives."""
    _restarted.add(owner)


def flush_output() -> None:
    """Write buffered output."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # closed, or replaced by an object that cannot be flushed
            stream.flush()


def _exit_code(error: BaseException | None) -> int:
    if error is None:
        return 0
    if not isinstance(error, SystemExit):
        with suppress(OSError):
            os.write(2, "".join(traceback.format_exception(error)).encode(errors="backslashreplace"))
        return 1
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    with suppress(OSError):
        os.write(2, f"{error.code}\n".encode(errors="backslashreplace"))
    return 1


def _begin_child() -> None:
    global forks  # the process's own
    forks += 1
    for owned in list(_parents_own):
        with suppress(OSError):
            owned.close()
    _parents_own.clear()
    for one in list(_restarted):
        one.begin_in_child()


in_child(_begin_child)
