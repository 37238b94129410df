"""Python's search for cyclic garbage, switched off while thousands of events are made or fired."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MANY = 1_000  # events; a search in their midst goes through all of them, and doubles their time


@contextmanager
def uncollected(events: int = MANY) -> Iterator[None]:
    """Start no search inside the block if there are many events to make, to plan or to fire."""
    if events < MANY or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
