"""The pytest plugin; `packaging/_clock_pytest.py` has its fixtures and hooks.

It is part of the package. Fixtures: `clock_run`, `fake_clock`, `jobs`, `world`, `embedded_redis`. Option:
`--clock-update` writes the snapshots of `assert_timeline`. The report of a failed test that rehearsed a clock file
shows when the events fired.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from clock.job.push.client import using_clock
from clock.rehearsal.fake_clock import FakeClock
from clock.rehearsal.history import History
from clock.rehearsal.job_modes import Collected, Mode
from clock.store import Redis
from clock.store.server.connection import connect, using_default
from clock.store.server.embedded import embedded
from clock.testing.world.private_server import check_installed
from clock.testing.world.world import World
from clock.testing.world.world import world as make_world

SHOWN = 5  # firings of an event in a failure report, from each end


def summary_lines(history: History) -> Iterator[str]:
    """When the events fired that the test asked about, or how often each event fired."""
    zone = history.timetable.settings.tz
    yield f"{history.timetable.path} from {history.start.astimezone(zone)} to {history.end.astimezone(zone)}:"
    asked = list(history.asked)
    for event in history.timetable.events:
        if asked and event.name not in asked:
            continue
        fires = history.fires(event.name)
        heading = f"  {event.name} ({event.declaration}) fired {len(fires)} times"
        yield heading + (":" if asked and fires else "")
        if asked:
            lines = [f"    {at.astimezone(event.zone):%a %Y-%m-%d %H:%M:%S %Z}" for at in fires]
            if len(lines) > 2 * SHOWN:
                lines[SHOWN:-SHOWN] = [f"    ... {len(lines) - 2 * SHOWN} more ..."]
            yield from lines
            yield from _others(history, event.name)


def _others(history: History, name: str) -> Iterator[str]:
    """The outcomes of the event's due instants that did not fire."""
    others = Counter(
        f"{item.kind}: {item.detail.get('reason')}"
        for item in history.decisions
        if item.event == name and not item.kind.fires
    )
    return (f"    {count} times {what}" for what, count in others.items())


@contextmanager
def fake_clock() -> Iterator[FakeClock]:
    """A clock at the start of 2026, in UTC; pushed jobs get its time."""
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    with using_clock(clock):
        yield clock


@contextmanager
def collected() -> Iterator[Collected]:
    """Collects the jobs that are pushed in the block."""
    jobs = Collected()
    with Mode(jobs):
        yield jobs


@contextmanager
def worlds() -> Iterator[Callable[..., World]]:
    """Makes worlds, and closes them at the end of the block."""
    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(make_world(*args, **options))


@contextmanager
def server(folder: Path) -> Iterator[Redis]:
    """An embedded Valkey, with its data in `folder`. Raises StoreError if the extra is not installed."""
    check_installed("embedded_redis")
    redis = connect(embedded.start_or_join(folder), max_connections=50)
    try:
        yield redis
    finally:
        redis.close()


@contextmanager
def emptied(redis: Redis) -> Iterator[None]:
    """Empties it, and makes `perform_async` push to it in the block."""
    redis.flushall()
    with using_default(redis):
        yield
