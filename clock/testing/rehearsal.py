"""A clock file run through a stretch of time at once, by the ticker that runs in production.

Nothing touches Redis: the ledger is in memory, and pushed jobs stay in the decisions that carry them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from clock.testing.fake_clock import FakeClock
from clock.testing.history import History
from clock.testing.memory_ledger import MemoryLedger
from clock.ticker import Signature, Ticker
from clock.timetable import Event, Timetable, load


def run(
    file: str | os.PathLike[str] | Timetable = "lib/clock.py",
    *,
    start_time: datetime,
    end_time: datetime,
    execute: bool = False,
    tick_speed: timedelta | None = None,
    max_ticks: int | None = None,
    downtime: Sequence[tuple[datetime, datetime]] = (),
) -> History:
    """Run a clock file, first started at `start_time`, up to `end_time` (exclusive).

    Naive datetimes are in the clock file's zone. Jobs are recorded, not stored; plain callables run only with
    `execute=True`. Without `tick_speed` each due instant is met exactly; with it the clock looks that often.
    During `downtime`, pairs of (from, to), the clock does not look, so that catching up can be tested.
    """
    timetable = file if isinstance(file, Timetable) else load(file)
    zone = timetable.settings.tz
    clock = FakeClock(_aware(start_time, zone))
    ledger = MemoryLedger()
    ticker = Ticker(
        timetable,
        ledger=ledger,
        clock=clock,
        signature=Signature("rehearsal", "rehearsal"),
        act=Event.run if execute else _enqueue_only,
        use_threads=False,
    )
    away = [(_aware(begin, zone), _aware(end, zone)) for begin, end in downtime]
    ticks = 0
    while clock.now() < _aware(end_time, zone) and (max_ticks is None or ticks < max_ticks):
        back = _end_of_downtime(clock.now(), away)
        if back is None:
            ticker.tick()
            ticks += 1
            back = clock.now() + tick_speed if tick_speed else ticker.next_due
        if back is None:
            break
        clock.advance(back - clock.now())
    return History(timetable, ledger.decisions)


def _end_of_downtime(now: datetime, away: Sequence[tuple[datetime, datetime]]) -> datetime | None:
    return next((end for begin, end in away if begin <= now < end), None)


def _aware(instant: datetime, zone: tzinfo) -> datetime:
    return instant if instant.tzinfo else instant.replace(tzinfo=zone)


def _enqueue_only(event: Event, due: datetime, previous: datetime | None) -> object:
    return event.run(due, previous) if event.enqueues else None
