"""How tests wait: until something holds, for as long as a busy machine may need.

`CLOCK_TEST_PATIENCE` (seconds) says how long that is. Only a test that fails waits for all of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

PATIENCE_SECONDS = float(os.environ.get("CLOCK_TEST_PATIENCE", "60"))
_LOOK_SECONDS = 0.02


def eventually(condition: Callable[[], object], what: str | Callable[[], object]) -> None:
    """Wait until `condition` holds. If it does not, fail with `what`: a function is called then, not before."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what() if callable(what) else what}")
        time.sleep(_LOOK_SECONDS)


def stay(condition: Callable[[], object], seconds: float) -> bool:
    """Whether `condition` holds all the time for so many seconds: what must not happen does not happen by then."""
    deadline = time.monotonic() + seconds
    while condition():
        if time.monotonic() > deadline:
            return True
        time.sleep(_LOOK_SECONDS)
    return False
