"""Python's search for cyclic garbage, kept out of the way of thousands of events."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MANY = 1_000  # events; a search in their midst goes through all of them, and doubles their time


@contextmanager
def uncollected(events: int) -> Iterator[None]:
    """Let no search begin inside the block where there are many events to fire or to plan."""
    if events < MANY or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
