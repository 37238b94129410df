import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from clock.clocks import ServerClock, SystemClock
from clock.errors import StoreUnavailable
from clock.problems import CALM_SECONDS, Problems
from clock.store import keys
from clock.store.ledger.lease import Lease, Tenure
from clock.testing import FakeClock
from clock.ticker.leader import LEASE_SECONDS, Leader
from tests.patience import PATIENCE_SECONDS, eventually
from tests.ticker.conftest import Rounds

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)


def leader(redis: Redis, name: str, clock: FakeClock | ServerClock | SystemClock) -> Leader:
    return Leader(Lease(redis, identity=name, release="v1", rank=1), identity=name, clock=clock)


def test_a_clock_leads_for_as_long_as_its_lease_holds(redis: Redis) -> None:
    clock = FakeClock(SIX)
    first, second = leader(redis, "a", clock), leader(redis, "b", clock)
    first.beat()
    second.beat()
    assert (first.leads, second.leads) == (True, False)

    clock.advance(timedelta(seconds=LEASE_SECONDS))

    assert not first.leads


def test_a_clock_that_cannot_reach_redis_leads_until_its_lease_runs_out(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock(SIX)
    first = leader(redis, "a", clock)
    first.beat()

    def fail(self: Lease, ttl_ms: int, *, leave_free: bool) -> Tenure:
        raise StoreUnavailable("away")

    monkeypatch.setattr(Lease, "take", fail)
    clock.advance(timedelta(seconds=LEASE_SECONDS - 1))
    first.beat()
    assert first.leads
    clock.advance(timedelta(seconds=1))
    first.beat()

    assert not first.leads


def test_a_leader_that_stops_wakes_the_next_one(redis: Redis) -> None:
    took_over = threading.Event()
    first = leader(redis, "a", SystemClock())
    lease = Lease(redis, identity="b", release="v1", rank=1)
    second = Leader(lease, identity="b", clock=SystemClock(), on_lead=took_over.set)
    first.start()
    second.start()

    first.stop()

    assert took_over.wait(PATIENCE_SECONDS)
    assert (first.leads, second.leads) == (False, True)
    second.stop()
    assert not redis.exists(keys.LEASE)


def test_every_change_of_the_lead_is_told_on_both_sides(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock(SIX)
    first, second = leader(redis, "a", clock), leader(redis, "b", clock)

    with caplog.at_level(logging.INFO):
        first.beat()
        second.beat()
        clock.advance(timedelta(seconds=LEASE_SECONDS))
        redis.delete(keys.LEASE)
        second.beat()
        first.beat()

    assert [record.getMessage() for record in caplog.records] == [
        "Became leader: a",
        "On standby: the leader is a",
        "Became leader: b",
        "Lost leadership to another clock: b",
    ]


def test_a_lease_that_redis_lost_goes_back_to_its_holder(redis: Redis) -> None:
    clock = FakeClock(SIX)
    first, second = leader(redis, "a", clock), leader(redis, "b", clock)
    first.beat()
    second.beat()

    redis.flushall()
    second.beat()
    first.beat()

    assert (first.leads, second.leads) == (True, False)


def test_a_lease_that_redis_lost_together_with_its_holder_is_taken_when_it_would_have_ended(redis: Redis) -> None:
    clock = FakeClock(SIX)
    first, second = leader(redis, "a", clock), leader(redis, "b", clock)
    first.beat()
    second.beat()

    redis.flushall()
    second.beat()
    clock.advance(timedelta(seconds=LEASE_SECONDS))
    second.beat()

    assert second.leads


def test_the_time_is_redis_s_and_a_machine_that_is_off_is_warned_about_once(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine = FakeClock(SIX)  # years away from the server's time
    clock = ServerClock(machine)
    first = leader(redis, "a", clock)
    tenure = Lease(redis, identity="a", release="v1", rank=1).take(60)
    monkeypatch.setattr(
        Lease, "take", lambda *_, **__: tenure
    )  # the server's time stands still, as the machine's does

    with caplog.at_level(logging.WARNING):
        first.beat()
        first.beat()

    assert clock.now() == tenure.server_time
    assert abs(tenure.server_time.timestamp() - redis.time()[0]) < 60
    [error] = caplog.records
    assert (error.levelno, "s. Events use Redis time" in error.getMessage()) == (
        logging.ERROR,
        True,
    )


def test_a_clock_that_has_stopped_takes_no_lease(redis: Redis) -> None:
    first = leader(redis, "a", FakeClock(SIX))

    first.stop()
    first.beat()

    assert not redis.exists(keys.LEASE)


class SlowLease(Lease):
    """A lease whose commands wait until the test sets `may_go_on`. `answered` names those that have ended."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, identity="a", release="v1", rank=1)
        self.began, self.may_go_on = threading.Event(), threading.Event()
        self.may_go_on.set()
        self.answered: list[str] = []

    def take(self, seconds: float, *, leave_free: bool = False) -> Tenure:
        self._wait()
        found = super().take(seconds, leave_free=leave_free)
        self.answered.append("take")
        return found

    def give_back(self) -> None:
        self._wait()
        super().give_back()
        self.answered.append("give back")

    def _wait(self) -> None:
        self.began.set()
        assert self.may_go_on.wait(PATIENCE_SECONDS)


@pytest.fixture
def slow_lease(redis: Redis) -> Iterator[SlowLease]:
    found = SlowLease(redis)
    yield found
    found.may_go_on.set()


def begun(lease: SlowLease, call: Callable[[], object]) -> threading.Thread:
    """A thread whose call waits for the answer of Redis."""
    lease.began.clear()
    lease.may_go_on.clear()
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    assert lease.began.wait(PATIENCE_SECONDS)
    return thread


def stopped_on_a_thread(first: Leader, lease: SlowLease) -> Sequence[str]:
    """Which commands had ended when a call of `stop` returned, which began while the lease did not answer."""
    found: list[Sequence[str]] = []

    def stop() -> None:
        first.stop()
        found.append(tuple(lease.answered))

    stopping = threading.Thread(target=stop, daemon=True)
    stopping.start()
    stopping.join(0.05)
    lease.may_go_on.set()
    stopping.join(PATIENCE_SECONDS)
    return found[0]


def test_each_of_two_stops_returns_after_the_lease_is_released(slow_lease: SlowLease) -> None:
    first = Leader(slow_lease, identity="a", clock=FakeClock(SIX))
    first.beat()
    begun(slow_lease, first.stop)

    assert stopped_on_a_thread(first, slow_lease) == ("take", "give back")


@pytest.mark.parametrize("beats", [0, 1])
def test_a_stop_during_a_renewal_of_the_lease_releases_it_afterwards(
    redis: Redis, slow_lease: SlowLease, beats: int
) -> None:
    first = Leader(slow_lease, identity="a", clock=FakeClock(SIX))
    for _ in range(beats):
        first.beat()
    begun(slow_lease, first.beat)

    assert stopped_on_a_thread(first, slow_lease) == (*["take"] * beats, "take", "give back")

    assert not redis.exists(keys.LEASE)
    assert not first.leads


class ScriptedLease(Lease):
    """A lease with these answers (None: Redis is away); after the last one its clock stops.

    It notes for how long the clock waits for a leader that stops, and in `free` whether the clock leaves a free
    lease free.
    """

    def __init__(self, *answers: Tenure | None, hand_overs: Sequence[bool | None] = ()) -> None:
        self._answers = list(answers)
        self._hand_overs = list(hand_overs)
        self.waits: list[float] = []
        self.free: list[bool] = []
        self.clock: Leader

    def take(self, seconds: float, *, leave_free: bool = False) -> Tenure:
        self.free.append(leave_free)
        answer = self._answers.pop(0)
        if not self._answers:
            self.clock._stop.set()
        if answer is None:
            raise StoreUnavailable("away")
        return answer

    def wait_for_hand_over(self, seconds: float) -> bool:
        self.waits.append(seconds)
        answer = self._hand_overs.pop(0) if self._hand_overs else False
        if answer is None:
            raise StoreUnavailable("away")
        return answer

    def give_back(self) -> None:
        """Nothing to give back."""


def tenure(holder: str, left_seconds: float = LEASE_SECONDS) -> Tenure:
    return Tenure(holder, left_seconds, SIX)


def led(lease: ScriptedLease, clock: FakeClock, problems: Problems | None = None) -> Leader:
    """The clock `me`, after it has asked for the lease until the last answer."""
    lease.clock = leader = Leader(lease, identity="me", clock=clock, problems=problems)
    leader.start()
    eventually(lambda: not leader._thread.is_alive(), "the end of the leader's thread")
    return leader


def test_a_clock_on_standby_tries_again_when_the_lease_ends_or_after_a_second() -> None:
    lease = ScriptedLease(tenure("other", 0.3), tenure("other", 3.0), tenure("other"), tenure("other"))

    led(lease, FakeClock(SIX))

    assert lease.waits == [0.31, 1.0, 1.0]


def test_a_clock_on_standby_leaves_a_lost_lease_to_its_holder_until_it_would_have_ended() -> None:
    clock = FakeClock(SIX)
    clock.advance(timedelta(seconds=100))
    lease = ScriptedLease(tenure("other", 0.5), tenure("", 0.0), tenure("other", 0.5), tenure("other"))

    led(lease, clock)

    assert lease.free == [False, True, True, True]
    assert lease.waits == [0.51] * 3


def test_a_clock_on_standby_takes_a_lease_that_its_holder_released() -> None:
    lease = ScriptedLease(tenure("other"), tenure("other"), tenure("other"), hand_overs=[True, False])

    led(lease, FakeClock(SIX))

    assert lease.free == [False, False, True]


def test_a_leader_renews_its_lease_each_second_and_waits_for_no_other_clock() -> None:
    clock, lease = Rounds(99), ScriptedLease(tenure("me"), tenure("me"), tenure("me"))

    led(lease, clock)

    assert (clock.waits, lease.waits) == ([1.0] * 2, [])


def test_while_redis_is_away_a_clock_asks_for_the_lease_each_second() -> None:
    clock = Rounds(99)
    lease = ScriptedLease(None, tenure("other"), None, tenure("other"), hand_overs=[None])

    led(lease, clock)

    assert clock.waits == [1.0] * 2
    assert lease.waits == [1.0]


def test_a_clock_that_could_not_wait_for_the_lease_has_no_problem_once_it_leads() -> None:
    clock = Rounds(99)
    problems = Problems(clock=clock)
    lease = ScriptedLease(tenure("other"), tenure("me"), tenure("me"), hand_overs=[None])

    led(lease, clock, problems)
    [(problem, _)] = problems.lasting
    clock.advance(timedelta(seconds=CALM_SECONDS))
    problems.watch()

    assert problem.text == "away"
    assert list(problems.lasting) == []


@pytest.mark.parametrize(
    ("skew", "is_reported", "blocks"),
    [
        (0.5, False, False),
        (-0.6, True, False),
        (5.0, True, False),
        (5.1, True, True),
        (-5.1, True, True),
    ],
)
def test_a_machine_whose_clock_is_off_is_reported_and_if_it_is_far_off_not_ready(
    skew: float, is_reported: bool, blocks: bool
) -> None:
    clock = ServerClock(FakeClock(SIX + timedelta(seconds=skew)))
    problems = Problems(clock=clock)
    lease = ScriptedLease(tenure("me"), tenure("me"))
    lease.clock = leader = Leader(lease, identity="me", clock=clock, problems=problems)

    leader.beat()

    assert (bool(problems.lasting), bool(problems.blocking)) == (is_reported, blocks)


@pytest.mark.parametrize(("moved", "is_logged"), [(0.5, False), (0.6, True)])
def test_a_jump_of_redis_s_time_is_logged(caplog: pytest.LogCaptureFixture, moved: float, is_logged: bool) -> None:
    clock = ServerClock(FakeClock(SIX + timedelta(hours=1)))
    later = Tenure("me", LEASE_SECONDS, SIX + timedelta(seconds=moved))
    lease = ScriptedLease(tenure("me"), tenure("me"), later, later)
    lease.clock = leader = Leader(lease, identity="me", clock=clock)
    leader.beat()
    leader.beat()

    leader.beat()

    assert ("Time jumped by +0.6 s" in caplog.text) is is_logged
    assert caplog.text.count("Time jumped") == is_logged


def test_a_leader_that_cannot_release_its_lease_logs_that_it_expires_by_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Stuck(ScriptedLease):
        def give_back(self) -> None:
            raise StoreUnavailable("Redis is away.")

    lease = Stuck(tenure("me"), tenure("me"))
    lease.clock = leader = Leader(lease, identity="me", clock=FakeClock(SIX))
    leader.beat()

    leader.stop()

    assert not leader.leads
    assert caplog.messages == ["Could not release the lease; it expires by itself: Redis is away."]
