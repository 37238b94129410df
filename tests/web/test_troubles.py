from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

from clock.rehearsal.fake_clock import FakeClock
from clock.web.troubles import STALE_SECONDS, Troubles
from tests.web.conftest import NOW

NAMES = [f"event.{number:03}" for number in range(150)]
PATIENCE_SECONDS = 60.0


def test_after_a_pause_in_visits_what_was_read_before_is_not_shown_as_complete() -> None:
    goes_on, clock = threading.Event(), FakeClock(NOW)

    def read(names: Sequence[str]) -> list[str]:
        assert goes_on.wait(PATIENCE_SECONDS)
        return ["failing" if name == NAMES[-1] else "" for name in names]

    troubles = Troubles(read, clock=clock)
    goes_on.set()
    first = troubles.get(NAMES, PATIENCE_SECONDS)
    goes_on.clear()
    clock.advance(timedelta(seconds=STALE_SECONDS + 10))

    after_the_pause = troubles.get(NAMES)
    goes_on.set()
    at_last = troubles.get(NAMES, PATIENCE_SECONDS)

    assert first.is_complete
    assert (after_the_pause.is_complete, after_the_pause.looked) == (False, 0)
    assert at_last.is_complete
    assert at_last.by_name == {NAMES[-1]: "failing"}
