"""A clock file run through a stretch of time at once, by the ticker that runs in production.

Nothing touches Redis: the ledger is in memory, and pushed jobs stay in the decisions that carry them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta

from clock.testing.fake_clock import FakeClock
from clock.testing.history import History
from clock.testing.memory_ledger import MemoryLedger
from clock.ticker import Signature, Ticker
from clock.timetable import Event, Timetable, load

Downtime = Sequence[tuple[datetime, datetime]]


def run(
    file: str | os.PathLike[str] | Timetable = "lib/clock.py",
    *,
    start_time: datetime,
    end_time: datetime,
    execute: bool = False,
    tick_speed: timedelta | None = None,
    max_ticks: int | None = None,
    downtime: Downtime = (),
) -> History:
    """Run a clock file, started for the first time at `start_time`, up to `end_time` (exclusive).

    Naive datetimes are in the clock file's zone. Jobs are recorded, not stored; plain callables are run only with
    `execute=True`. Without `tick_speed` each due instant is met exactly; with it the clock looks only so often.
    During `downtime`, pairs of (from, to), the clock does not look, so that catching up can be tested.
    """
    timetable = file if isinstance(file, Timetable) else load(file)
    zone = timetable.settings.tz
    start, end = _aware(start_time, zone), _aware(end_time, zone)
    pauses = [(_aware(begin, zone), _aware(finish, zone)) for begin, finish in downtime]
    clock = FakeClock(start)
    ledger = MemoryLedger()
    ticker = Ticker(
        timetable,
        ledger=ledger,
        clock=clock,
        signature=Signature("rehearsal", "rehearsal"),
        act=Event.run if execute else _enqueue_only,
    )
