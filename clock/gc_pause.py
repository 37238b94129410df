"""Memory while thousands of events are created or fired: no garbage collection, and what was freed goes back."""

from __future__ import annotations

import gc

MANY = 1_000  # events; a collection in between scans all of them, and doubles the time


class uncollected:  # noqa: N801  # it reads as a function, and a generator would cost each tick more
    """Run no collection inside the block if there are many events to create, plan or fire."""

    __slots__ = ("_pauses",)

    def __init__(self, events: int = MANY) -> None:
        self._pauses = events >= MANY and gc.isenabled()

    def __enter__(self) -> None:
        if self._pauses:
            gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._pauses:
            gc.enable()


def return_memory(events: int) -> None:
    """Return memory that was freed to the system if there are many events. It takes some milliseconds.

    The C library keeps the memory between objects that live on: after the start with 100,000 events, 20 MB.
    Only glibc has this function.
    """
    if events >= MANY:
        import ctypes

        getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)(0)
