"""Switch off Python's cyclic garbage collection while thousands of events are created or fired."""

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
