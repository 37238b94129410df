"""What keeps a due instant from firing: pauses, and earlier firings that still run."""

import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from clock.clocks import from_ms, to_ms
from clock.store import keys
from clock.store.ledger import pauses
from clock.store.ledger.history import add_outcome
from clock.store.ledger.ledger import RedisLedger
from clock.store.ledger.pauses import ALL, Pause
from clock.testing import FakeClock
from clock.ticker import Ticker
from clock.timetable import Timetable
from tests.patience import PATIENCE_SECONDS
from tests.ticker import jobs

Declare = Callable[..., Timetable]
Start = Callable[..., Ticker]

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MINUTELY = 'every().minute.at(":00").do(FetchNewsJob, "news").named("feed")'


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    jobs.ran.clear()


def kinds(redis: Redis, event: str = "feed") -> list[object]:
    return [record["decision"] for record in reversed(list(RedisLedger(redis).history(event)))]


def tick_at(clock: FakeClock, ticker: Ticker, *instants: datetime) -> None:
    for instant in instants:
        clock.travel_to(instant)
        ticker.tick()


def take_job(redis: Redis) -> bytes:
    payload: Any = redis.rpop("queue:default")
    assert isinstance(payload, bytes)
    return payload


def retried(payload: bytes) -> str:
    """The payload as a worker writes it after a failure."""
    return json.dumps({**json.loads(payload), "retry_count": 0})


PLACES: dict[str, Callable[[Redis, bytes, int], object]] = {
    "queued": lambda redis, job, _: redis.lpush("queue:low", job) and redis.sadd("queues", "low"),
    "delayed": lambda redis, job, _: redis.zadd(keys.SCHEDULE, {job: 1}),
    "retrying": lambda redis, job, _: redis.zadd(keys.RETRY, {retried(job): 1}),
    "parked": lambda redis, job, _: redis.lpush("clock:parked:X", job) and redis.sadd(keys.PARKED, "X"),
    "held by a worker with a heartbeat": lambda redis, job, now: (
        redis.zadd(keys.WORKERS, {"w": now + 120_000}) and redis.hset("clock:in_progress:w", "1", b"low\n" + job)
    ),
    "held by a Ruby worker": lambda redis, job, _: (
        redis.sadd(keys.PROCESSES, "r")
        and redis.hset("r:work", "tid", json.dumps({"queue": "low", "payload": job.decode(), "run_at": 1}))
    ),
}
NOWHERE: dict[str, Callable[[Redis, bytes, int], object]] = {
    "done": lambda *_: None,
    "dead": lambda redis, job, _: redis.zadd(keys.DEAD, {job: 1}),
    "held by a worker whose heartbeat has expired": lambda redis, job, now: (
        redis.zadd(keys.WORKERS, {"w": now - 1}) and redis.hset("clock:in_progress:w", "1", b"low\n" + job)
    ),
    "named by another job": lambda redis, job, _: (
        redis.sadd("queues", "low")
        and redis.lpush("queue:low", json.dumps({"jid": "other", "args": [json.loads(job)["jid"]]}))
    ),
}


@pytest.mark.parametrize(
    ("place", "decision"),
    [*((place, "overlap") for place in PLACES), *((place, "fired") for place in NOWHERE)],
)
def test_a_firing_is_skipped_while_the_job_of_the_one_before_is_somewhere(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock, place: str, decision: str
) -> None:
    ticker = start(declare(MINUTELY + '.overlap("skip")\n'))
    tick_at(fake_clock, ticker, SIX)

    {**PLACES, **NOWHERE}[place](redis, take_job(redis), to_ms(fake_clock.now()))
    tick_at(fake_clock, ticker, SIX + MINUTE)

    assert kinds(redis) == ["fired", decision]


def test_a_job_that_is_put_back_from_a_dead_worker_holds_up_the_next_firing_again(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    ticker = start(declare(MINUTELY + '.overlap("skip")\n'))
    tick_at(fake_clock, ticker, SIX)
    job = take_job(redis)
    NOWHERE["held by a worker whose heartbeat has expired"](redis, job, to_ms(fake_clock.now()))
    tick_at(fake_clock, ticker, SIX + MINUTE)
    take_job(redis)

    redis.delete("clock:in_progress:w")
    redis.lpush("queue:default", job)
    tick_at(fake_clock, ticker, SIX + 2 * MINUTE)

    assert kinds(redis) == ["fired", "fired", "overlap"]


def test_one_firing_may_wait_behind_the_one_that_runs(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    ticker = start(declare(MINUTELY + '.overlap("queue_one")\n'))

    tick_at(fake_clock, ticker, SIX, SIX + MINUTE, SIX + 2 * MINUTE)
    take_job(redis)
    tick_at(fake_clock, ticker, SIX + 3 * MINUTE)

    assert kinds(redis) == ["fired", "fired", "overlap", "fired"]


def test_instants_caught_up_at_once_overlap_each_other(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    ticker = start(declare(MINUTELY + '.overlap("skip").catch_up("all")\n'))

    tick_at(fake_clock, ticker, SIX + 3 * MINUTE)

    assert kinds(redis) == ["caught_up", "overlap", "overlap", "overlap"]


def test_a_job_that_a_worker_has_ended_is_looked_for_no_more(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    ticker = start(declare(MINUTELY + '.overlap("skip")\n'))
    tick_at(fake_clock, ticker, SIX)

    jid = json.loads(take_job(redis))["jid"]
    assert redis.hkeys(keys.WATCHED + "feed") == [jid.encode()]
    add_outcome(redis, "feed", jid, {"outcome": "done"}, ended=True)

    assert not redis.exists(keys.WATCHED + "feed")


def test_an_event_fires_without_the_overlap_check_while_a_key_of_a_wrong_type_hides_its_jobs(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    redis.set(keys.WATCHED + "feed", "text")
    ticker = start(declare(MINUTELY + '.overlap("skip")\n'))

    tick_at(fake_clock, ticker, SIX, SIX + MINUTE)

    assert kinds(redis) == ["fired", "fired"]
    ignored = [text for text in caplog.messages if text.startswith("The unfinished jobs of 'feed' cannot be read")]
    assert len(ignored) == 1


def test_an_action_that_runs_on_a_thread_overlaps(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    may_end = threading.Event()
    jobs.ran.append(lambda: may_end.wait(PATIENCE_SECONDS))
    lines = 'every().minute.at(":00").do(lambda: ran[0]()).thread().overlap("skip").named("feed")\n'
    ticker = start(declare(lines))

    tick_at(fake_clock, ticker, SIX, SIX + MINUTE)
    may_end.set()
    ticker.stop()
    ticker.run()

    assert kinds(redis) == ["fired", "overlap"]


@pytest.mark.parametrize("action", ['FetchNewsJob, "news"', "lambda: ran.append(1)"])
def test_the_log_says_that_a_paused_event_is_not_triggered(
    declare: Declare,
    start: Start,
    redis: Redis,
    fake_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    action: str,
) -> None:
    caplog.set_level(logging.INFO)
    ticker = start(declare(f'every().minute.at(":00").do({action}).named("feed")\n'))

    pauses.pause(redis, "feed", Pause(SIX, by="Ada"))
    tick_at(fake_clock, ticker, SIX)
    pauses.resume(redis, "feed", SIX + MINUTE)
    tick_at(fake_clock, ticker, SIX + MINUTE)

    said = [line for line in caplog.messages if "riggering" in line]
    assert said == ["Not triggering 'feed': paused by Ada", "Triggering 'feed'"]


@pytest.mark.parametrize("paused", ["feed", ALL])
@pytest.mark.parametrize("action", ['FetchNewsJob, "news"', "lambda: ran.append(1)"])
def test_what_is_due_during_a_pause_is_recorded_and_not_caught_up(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock, paused: str, action: str
) -> None:
    ticker = start(declare(f'every().minute.at(":00").do({action}).named("feed").catch_up("all")\n'))

    pauses.pause(redis, paused, Pause(SIX, by="Ada", note="the server moves"))
    tick_at(fake_clock, ticker, SIX, SIX + MINUTE)
    assert (redis.llen("queue:default"), jobs.ran) == (0, [])
    pauses.resume(redis, paused, SIX + 1.5 * MINUTE)
    tick_at(fake_clock, ticker, SIX + 2 * MINUTE)

    assert kinds(redis) == ["paused", "paused", "fired"]
    reasons = {record.get("reason") for record in RedisLedger(redis).history("feed")}
    assert reasons == {None, "paused by Ada: the server moves"}


def test_a_period_with_a_condition_counts_from_the_last_instant_that_was_not_paused(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    ticker = start(
        declare("""
            @every(timedelta(minutes=10), "feed", at="6:**", if_=lambda t: True)
            def note(name, due):
                ran.append(due.minute)
            """)
    )

    pauses.pause(redis, "feed", Pause(SIX, SIX + 2 * MINUTE))
    tick_at(fake_clock, ticker, *(SIX + minute * MINUTE for minute in range(14)))

    assert jobs.ran == [2, 12]


def test_a_pause_holds_though_no_clock_ran_while_it_lasted(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    start(declare(MINUTELY + '.catch_up("all")\n'))
    pauses.pause(redis, "feed", Pause(SIX + MINUTE))
    pauses.resume(redis, "feed", SIX + 3 * MINUTE)

    fake_clock.travel_to(SIX + 4.5 * MINUTE)
    start(declare(MINUTELY + '.catch_up("all")\n'))

    assert kinds(redis) == ["caught_up", "paused", "paused", "caught_up", "caught_up"]


@pytest.mark.parametrize("paused", ["feed", ALL])
@pytest.mark.parametrize("action", ['FetchNewsJob, "news"', "lambda: ran.append(1)"])
def test_each_of_several_pauses_holds_though_no_clock_ran_while_they_lasted(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock, paused: str, action: str
) -> None:
    lines = f'every().minute.at(":00").do({action}).named("feed").catch_up("all")\n'
    start(declare(lines))
    for first, last, by in [(1, 2, "Ada"), (3, 4, "Bob"), (5, None, "Eve")]:
        pauses.pause(redis, paused, Pause(SIX + first * MINUTE, by=by))
        if last:
            pauses.resume(redis, paused, SIX + last * MINUTE)

    fake_clock.travel_to(SIX + 5.5 * MINUTE)
    start(declare(lines))

    assert kinds(redis) == ["caught_up", "paused", "caught_up", "paused", "caught_up", "paused"]
    reasons = [record.get("reason") for record in RedisLedger(redis).history("feed")]
    assert list(filter(None, reasons)) == ["paused by Eve", "paused by Bob", "paused by Ada"]


def test_a_pause_made_twice_lasts_from_the_first_and_ends_with_the_second(redis: Redis) -> None:
    pauses.pause(redis, "feed", Pause(from_ms(1000), from_ms(5000), note="first"))
    made = pauses.pause(redis, "feed", Pause(from_ms(2000), from_ms(9000), note="second"))

    assert made == Pause(from_ms(1000), from_ms(9000), note="second")
    assert pauses.read(redis) == {"feed": made}
    assert pauses.resume(redis, "feed", from_ms(9000)) is None
