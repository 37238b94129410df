"""Memory while thousands of events are created or fired: no garbage collection, and what was freed goes back."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MANY = 1_000  # events; a collection in between scans all of them, and doubles the time


@contextmanager
def uncollected(events: int = MANY) -> Iterator[None]:
    """Run no collection inside the block if there are many events to create, plan or fire."""
    if events < MANY or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def return_memory(events: int) -> None:
    """Return memory that was freed to the system if there are many events. It takes some milliseconds.

    The C library keeps the memory between objects that live on: after the start with 100,000 events, 20 MB.
    Only glibc has this function.
    """
    if events >= MANY:
        import ctypes

        getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)(0)
