import gc
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from redis import Redis

from clock.gc_pause import MANY
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker.background_yield import AT_ONCE, LONGEST_SECONDS, BackgroundYield
from clock.ticker.lost_writes import OwnCommits
from clock.ticker.planning.plan import Plan
from clock.timetable import Timetable
from tests.patience import PATIENCE_SECONDS
from tests.ticker.conftest import START, Rounds

BEFORE_SIX = timedelta(seconds=9, milliseconds=990)  # the tests begin ten seconds before six


@pytest.fixture
def plan(declare: Callable[..., Timetable], redis: Redis, fake_clock: FakeClock) -> Plan:
    """A plan with one event, due at six."""
    plan = Plan(RedisLedger(redis), lambda _name: None, OwnCommits())
    plan.read(declare('every().day.at("06:00").do(FetchNewsJob, "x")').events, fake_clock.now())
    return plan


@pytest.fixture
def passed(plan: Plan, fake_clock: FakeClock) -> Callable[[], threading.Event]:
    """Go through an item of work on a thread beside the loop; what is set once that is done."""

    def begin() -> threading.Event:
        courtesy, done = BackgroundYield(plan, threading.Event(), clock=fake_clock), threading.Event()
        courtesy.is_needed = True

        def work() -> None:
            list(courtesy.among([1]))
            done.set()

        threading.Thread(target=work, daemon=True).start()
        return done

    return begin


def test_work_beside_the_loop_goes_on_where_nothing_is_due_soon(passed: Callable[[], threading.Event]) -> None:
    assert passed().wait(PATIENCE_SECONDS)


def test_work_beside_the_loop_waits_until_what_is_due_has_been_taken(
    plan: Plan, passed: Callable[[], threading.Event], fake_clock: FakeClock
) -> None:
    fake_clock.advance(BEFORE_SIX)
    done = passed()
    fake_clock.block_until(1)
    waited = not done.is_set()

    fake_clock.advance(timedelta(milliseconds=10))
    plan.take_due(fake_clock.now())
    plan.to_fire.clear()
    plan.look_ahead()
    while not done.wait(0.01):
        fake_clock.advance(timedelta(milliseconds=5))

    assert waited


def test_work_beside_the_loop_does_not_wait_long_for_a_slow_action(
    passed: Callable[[], threading.Event], fake_clock: FakeClock
) -> None:
    fake_clock.advance(BEFORE_SIX)
    done = passed()
    fake_clock.block_until(1)

    fake_clock.advance(timedelta(seconds=LONGEST_SECONDS))
    while not done.wait(0.01):
        fake_clock.advance(timedelta(milliseconds=5))

    assert done.is_set()


class Firing(Rounds):
    """A clock whose time passes at each wait, and that fires what is due then, unless the loop is `stuck`."""

    def __init__(self, *, stuck: bool = False) -> None:
        super().__init__(10_000)
        self.plan: Plan
        self._stuck = stuck

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        if not self._stuck:
            self.plan.take_due(self.now())
            self.plan.to_fire.clear()
            self.plan.look_ahead()
        return super().wait(stop, seconds)


@pytest.fixture
def yielding(plan: Plan) -> Callable[..., BackgroundYield]:
    """The yielding of a thread, so long before six."""

    def yielding(clock: Firing, before_six: float, *, begun: bool = True) -> BackgroundYield:
        clock.plan = plan
        clock.advance(timedelta(seconds=10 - before_six))
        found = BackgroundYield(plan, threading.Event(), clock=clock)
        if begun:
            found.is_needed = True
        return found

    return yielding


@pytest.mark.parametrize(
    ("before_six", "begun", "waits"),
    [(0.021, True, False), (0.02, True, False), (0.019, True, True), (0.019, False, False)],
)
def test_a_thread_waits_only_in_the_last_milliseconds_before_a_due_instant(
    yielding: Callable[..., BackgroundYield], before_six: float, begun: bool, waits: bool
) -> None:
    clock = Firing()
    work = yielding(clock, before_six, begun=begun)

    work.yield_if_due()
    now = clock.now()

    assert bool(clock.waits) is waits
    assert now >= START + timedelta(seconds=10) or not waits


def test_a_thread_waits_once_for_a_due_instant_that_the_loop_is_late_for(
    yielding: Callable[..., BackgroundYield],
) -> None:
    clock = Firing(stuck=True)
    work = yielding(clock, 0)

    work.yield_if_due()
    waited = sum(clock.waits)
    work.yield_if_due()

    assert LONGEST_SECONDS <= waited == sum(clock.waits) < 2 * LONGEST_SECONDS


def test_a_thread_that_works_on_many_items_looks_at_the_plan_after_each_few(
    yielding: Callable[..., BackgroundYield],
) -> None:
    clock = Firing()
    work = yielding(clock, 1)
    done = []

    for item in work.among(range(2 * AT_ONCE)):
        clock.advance(timedelta(milliseconds=989 / AT_ONCE))  # the second few begin ten milliseconds before six
        done.append((item, bool(clock.waits)))

    assert done == [(item, item >= AT_ONCE) for item in range(2 * AT_ONCE)]


@pytest.mark.parametrize(
    ("stuck", "events", "before_six", "begun", "collects"),
    [
        (False, MANY, 5, True, True),
        (False, MANY - 1, 5, True, False),
        (False, MANY, 5, False, False),
        (False, MANY, 0.4, True, True),
        (True, MANY, 0.4, True, False),
        (True, MANY, 0.52, True, True),
        (True, MANY, 0.519, True, False),  # it is not quiet any more after the wait for the last commit
    ],
)
def test_garbage_of_many_events_is_collected_while_no_event_is_due_for_a_while(
    yielding: Callable[..., BackgroundYield],
    monkeypatch: pytest.MonkeyPatch,
    stuck: bool,
    events: int,
    before_six: float,
    begun: bool,
    collects: bool,
) -> None:
    collected: list[float] = []
    clock = Firing(stuck=stuck)
    work = yielding(clock, before_six, begun=begun)
    monkeypatch.setattr(gc, "collect", lambda: collected.append(sum(clock.waits)))

    with work.uncollected(events):
        is_enabled = gc.isenabled()

    assert is_enabled is (events < MANY)
    assert bool(collected) is collects
    assert sum(clock.waits) < 2.1
    assert not collected or before_six > 0.5 or collected[0] > 0.4
