import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.errors import StoreUnavailable
from clock.problems import Problem, Problems
from clock.store.ledger.clock_register import AboutClock, ClockRegister
from clock.store.ledger.entry import Entry
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker import ClockIdentity, Release, Signature, Ticker
from clock.ticker.heartbeat import BEAT_SECONDS, Heartbeat
from clock.timetable import Timetable
from tests.patience import eventually
from tests.ticker.conftest import Rounds

WEB1 = ClockIdentity(
    "web1:1:abc", Release("v1", 1), AboutClock("web1", 1, "v1", started_at=0, events=1, skew_ms=0)
)


@pytest.fixture
def pulse(redis: Redis, fake_clock: FakeClock) -> Callable[[Ticker], Heartbeat]:
    def of(ticker: Ticker) -> Heartbeat:
        return Heartbeat(
            ClockRegister(redis),
            WEB1,
            ticker=ticker,
            leads=lambda: True,
            clock=fake_clock,
            problems=Problems(clock=fake_clock),
        )

    return of


def test_a_clock_tells_of_its_loop_and_of_the_oldest_due_instant_not_fired(
    declare: Callable[..., Timetable],
    start: Callable[..., Ticker],
    pulse: Callable[[Ticker], Heartbeat],
    redis: Redis,
    fake_clock: FakeClock,
) -> None:
    fake_clock.advance(timedelta(seconds=3))
    ticker = start(declare("every().day.at('06:00').do(FetchNewsJob, 'x')\n"))
    due = ticker.next_due
    assert due is not None
    fake_clock.advance(timedelta(minutes=5))

    pulse(ticker).beat()

    told = ClockRegister(redis).living(fake_clock.now())["web1:1:abc"]
    assert told["host"] == "web1"
    assert told["oldest_undecided"] == to_ms(due) < to_ms(fake_clock.now())
    assert told["last_round"] == to_ms(fake_clock.now() - timedelta(minutes=5))


def test_a_clock_that_no_longer_beats_is_off_the_register(
    declare: Callable[..., Timetable],
    start: Callable[..., Ticker],
    pulse: Callable[[Ticker], Heartbeat],
    redis: Redis,
    fake_clock: FakeClock,
) -> None:
    pulse(start(declare(""))).beat()
    register = ClockRegister(redis)

    assert register.living(fake_clock.now() + timedelta(seconds=19.9))
    assert not register.living(fake_clock.now() + timedelta(seconds=20.1))


def test_a_clock_that_stops_leaves_the_register_at_once(
    declare: Callable[..., Timetable],
    start: Callable[..., Ticker],
    pulse: Callable[[Ticker], Heartbeat],
    redis: Redis,
    fake_clock: FakeClock,
) -> None:
    beating = pulse(start(declare("")))
    beating.beat()

    beating.stop()

    assert ClockRegister(redis).living(fake_clock.now()) == {}


def test_a_worker_that_starts_with_the_clock_has_time_until_the_second_heartbeat(
    declare: Callable[..., Timetable], start: Callable[..., Ticker], redis: Redis, fake_clock: FakeClock
) -> None:
    started, looks = fake_clock.now(), list[datetime]()

    def look() -> list[Problem]:
        looks.append(fake_clock.now())
        return []

    heartbeat = Heartbeat(
        ClockRegister(redis),
        WEB1,
        ticker=start(declare("")),
        leads=lambda: True,
        clock=fake_clock,
        problems=Problems(clock=fake_clock),
        unserved=look,
    )
    heartbeat.start()
    eventually(lambda: ClockRegister(redis).living(fake_clock.now()), "the first heartbeat")

    def has_looked() -> bool:
        fake_clock.advance(timedelta(seconds=BEAT_SECONDS))
        return bool(looks)

    eventually(has_looked, "a look at the queues")

    heartbeat.stop()
    assert looks[0] >= started + timedelta(seconds=BEAT_SECONDS)


class _AwayLedger(RedisLedger):
    """A ledger whose Redis is away."""

    def declare(self, *_: object, **__: object) -> list[Entry]:
        raise StoreUnavailable("Redis cannot be reached.")


class _TwoRounds(FakeClock):
    """Time that passes where it is waited for; at the second wait the loop is stopped."""

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.advance(timedelta(seconds=seconds))
        self.waits = getattr(self, "waits", 0) + 1
        if self.waits == 2:
            self.ticker.stop()
        return True

    ticker: Ticker


def test_a_loop_that_comes_round_without_redis_is_alive_and_not_ready(
    declare: Callable[..., Timetable], redis: Redis, fake_clock: FakeClock
) -> None:
    clock, signature = _TwoRounds(fake_clock.now()), Signature("web1", "v1")
    clock.ticker = Ticker(declare(""), ledger=_AwayLedger(redis), clock=clock, signature=signature)
    started = clock.monotonic()

    clock.ticker.run()

    assert clock.ticker.last_look > started
    assert clock.ticker.last_round == started


def test_a_heartbeat_continues_while_redis_is_away_and_ends_with_the_clock(
    declare: Callable[..., Timetable], start: Callable[..., Ticker], redis: Redis
) -> None:
    class Away(ClockRegister):
        beats = 0

        def beat(self, *_: object, **__: object) -> None:
            self.beats += 1
            raise StoreUnavailable("Redis is away")

        def leave(self, identity: str) -> None:
            raise StoreUnavailable("Redis is away")

    clock, register = Rounds(3), Away(redis)
    problems = Problems(clock=clock)
    heartbeat = Heartbeat(
        register, WEB1, ticker=start(declare("")), leads=lambda: True, clock=clock, problems=problems
    )

    heartbeat.start()
    eventually(lambda: register.beats == 4, "four heartbeats")
    heartbeat.stop()

    assert [problem.text for problem, _ in problems.lasting] == ["Redis is away"]
    assert clock.waits == [BEAT_SECONDS] * 4


def test_a_clock_without_events_reports_no_undecided_instant_and_whether_it_leads(
    declare: Callable[..., Timetable], start: Callable[..., Ticker], redis: Redis, fake_clock: FakeClock
) -> None:
    problems = Problems(clock=fake_clock)
    problems.meet(Problem("cause", "The text."))
    Heartbeat(
        ClockRegister(redis),
        WEB1,
        ticker=start(declare("")),
        leads=lambda: False,
        clock=fake_clock,
        problems=problems,
    ).beat()

    told = ClockRegister(redis).living(fake_clock.now())["web1:1:abc"]

    assert (told["oldest_undecided"], told["leads"]) == (None, False)
    assert told["problems"] == [{"cause": "cause", "text": "The text.", "since": to_ms(fake_clock.now())}]
