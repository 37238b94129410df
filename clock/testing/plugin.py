"""The pytest plugin; it comes with the package.

Fixtures: `clock_run`, `fake_clock`, `jobs`, `world`, `embedded_redis`. Option: `--clock-update` writes the
snapshots of `assert_timeline`. Where a test that has rehearsed a clock file fails, its report shows what the
events did fire.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from clock.job.client import using_clock
from clock.store import Redis, embedded
from clock.store.connection import connect, set_default
from clock.testing.fake_clock import FakeClock
from clock.testing.history import FIRED, History, watchers
from clock.testing.job_modes import Collected, Mode
from clock.testing.rehearsal import run
from clock.testing.snapshot import updating
from clock.testing.world import World
from clock.testing.world import world as make_world

SHOWN = 5  # firings of an event that a failure report shows, from each end
_histories = pytest.StashKey[list[History]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--clock-update`."""
    parser.getgroup("clock").addoption(
        "--clock-update", action="store_true", help="Write the snapshots of clock.testing.assert_timeline anew."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Take note of `--clock-update`."""
    updating.on = config.getoption("--clock-update")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Collect the histories of the test."""
    histories: list[History] = []
    item.stash[_histories] = histories
    watchers.append(histories.append)
    try:
        return (yield)
    finally:
        watchers.remove(histories.append)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Say in the report of a failed test what its clock files did fire."""
    report = yield
    if report.failed:  # type: ignore[attr-defined]  # what a wrapper is sent is the result of the hook
        for history in item.stash.get(_histories, []):
            report.sections.append(("clock", "\n".join(told(history))))  # type: ignore[attr-defined]
    return report


def told(history: History) -> Iterator[str]:
    """When the events fired that the test asked about; where it asked about none, how often each did."""
    zone = history.timetable.settings.tz
    yield f"{history.timetable.path} from {history.start.astimezone(zone)} to {history.end.astimezone(zone)}:"
    asked = list(history.asked)
    for event in history.timetable.events:
        fires = [f"    {at.astimezone(event.zone):%a %Y-%m-%d %H:%M:%S %Z}" for at in history.fires(event.name)]
        if not asked or event.name in asked:
            yield f"  {event.name} ({event.declaration}) fired {len(fires)} times" + (
                ":" if asked and fires else ""
            )
        if event.name in asked:
            if len(fires) > 2 * SHOWN:
                fires[SHOWN:-SHOWN] = [f"    ... {len(fires) - 2 * SHOWN} more ..."]
            yield from fires
            yield from _others(history, event.name)


def _others(history: History, name: str) -> Iterator[str]:
    """What became of the event's due instants that did not fire."""
    others = Counter(
        f"{item.kind}: {item.detail.get('reason')}"
        for item in history.decisions
        if item.event == name and item.kind not in FIRED
    )
    return (f"    {count} times {what}" for what, count in others.items())


@pytest.fixture
def clock_run() -> Callable[..., History]:
    """`clock.testing.run`: rehearse a clock file."""
    return run


@pytest.fixture
def fake_clock() -> Iterator[FakeClock]:
    """A clock that stands at the beginning of 2026, in UTC; what the test pushes is stamped with its time."""
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    with using_clock(clock):
        yield clock


@pytest.fixture
def jobs() -> Iterator[Collected]:
    """Collects the jobs that the test pushes: `jobs.payloads`, `jobs.jobs(SomeJob)`, `jobs.drain(SomeJob)`."""
    collected = Collected()
    with Mode(collected):
        yield collected


@pytest.fixture
def world() -> Iterator[Callable[..., World]]:
    """`clock.testing.world`: the worlds that a test makes are closed after it."""
    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(make_world(*args, **options))


@pytest.fixture(scope="session")
def _embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    redis = connect(embedded.start_or_join(tmp_path_factory.mktemp("clock")), max_connections=50)
    yield redis
    redis.close()


@pytest.fixture
def embedded_redis(_embedded: Redis) -> Iterator[Redis]:
    """An empty Valkey of the test session's own, which is also where `perform_async` pushes."""
    _embedded.flushall()
    set_default(_embedded)
    yield _embedded
    set_default(None)
