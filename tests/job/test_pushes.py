"""The ways to push a job, each for itself, awaited, and held while the clock fires."""

import asyncio
import json
import math
import threading
import traceback
from collections.abc import Callable, Coroutine
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from clock import Discard, Job
from clock.errors import ArgumentsError, JobError, StoreError, StoreUnavailable
from clock.job.push.client import using_clock
from clock.store.ledger.held_pushes import holding
from clock.store.server import connection
from clock.testing import FakeClock
from tests.job.redis_rows import delayed, waiting
from tests.store.talking import serving

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)
THEN = NOW + timedelta(minutes=1)
MINUTE = timedelta(minutes=1)


class MailPostcardJob(Job):
    def perform(self, number: int, kind: str = "plain") -> str:
        return f"{number} {kind}"


class SendLetterLaterJob(Job):
    async def perform(self, number: int) -> int:
        await asyncio.sleep(0)
        return number


class DropLetterJob(Job):
    def perform(self) -> None:
        raise Discard("the address is empty")


Push = Callable[[], Any]


def awaited(coroutine: Callable[[], Coroutine[Any, Any, Any]]) -> Push:
    return lambda: asyncio.run(coroutine())


NOW_PUSHES: dict[str, Push] = {
    "async": lambda: MailPostcardJob.perform_async(1),
    "bulk": lambda: MailPostcardJob.perform_bulk([[1]]),
    "set": lambda: MailPostcardJob.set(retry=3).perform_async(1),
    "past": lambda: MailPostcardJob.perform_in(-5, 1),
    "aasync": awaited(lambda: MailPostcardJob.aperform_async(1)),
    "abulk": awaited(lambda: MailPostcardJob.aperform_bulk([[1]])),
    "set aasync": awaited(lambda: MailPostcardJob.set(retry=3).aperform_async(1)),
}

LATER_PUSHES: dict[str, Push] = {
    "in seconds": lambda: MailPostcardJob.perform_in(60, 1),
    "in a timedelta": lambda: MailPostcardJob.perform_in(MINUTE, 1),
    "at": lambda: MailPostcardJob.perform_at(THEN, 1),
    "at seconds": lambda: MailPostcardJob.perform_at(THEN.timestamp(), 1),
    "bulk at": lambda: MailPostcardJob.perform_bulk([[1]], at=THEN),
    "bulk at each": lambda: MailPostcardJob.perform_bulk([[1]], at=[MINUTE]),
    "wait": lambda: MailPostcardJob.set(wait=60).perform_async(1),
    "wait a timedelta": lambda: MailPostcardJob.set(wait=MINUTE).perform_async(1),
    "wait until": lambda: MailPostcardJob.set(wait_until=THEN).perform_async(1),
    "bulk wait": lambda: MailPostcardJob.set(wait=60).perform_bulk([[1]]),
    "set in": lambda: MailPostcardJob.set(wait=5).perform_in(60, 1),
    "set at": lambda: MailPostcardJob.set(retry=3).perform_at(THEN, 1),
    "ain": awaited(lambda: MailPostcardJob.aperform_in(60, 1)),
    "aat": awaited(lambda: MailPostcardJob.aperform_at(THEN, 1)),
    "abulk at": awaited(lambda: MailPostcardJob.aperform_bulk([[1]], at=THEN)),
    "set ain": awaited(lambda: MailPostcardJob.set(retry=3).aperform_in(60, 1)),
    "set aat": awaited(lambda: MailPostcardJob.set(retry=3).aperform_at(THEN, 1)),
    "set abulk": awaited(lambda: MailPostcardJob.set(wait=60).aperform_bulk([[1]])),
}


def of(jids: Any) -> list[str]:
    return [jids] if isinstance(jids, str) else jids


@pytest.mark.parametrize("push", NOW_PUSHES.values(), ids=NOW_PUSHES)
def test_a_job_for_now_waits_in_its_queue_under_the_jid_returned(redis: Redis, push: Push) -> None:
    with using_clock(FakeClock(NOW)):
        jids = of(push())

    [row] = waiting(redis)
    assert (row["args"], row["class"]) == ([1], "MailPostcardJob")
    assert (row["created_at"], row["enqueued_at"]) == (NOW.timestamp(), NOW.timestamp())
    assert [row["jid"]] == jids
    assert redis.smembers("queues") == {b"default"}
    assert delayed(redis) == []


@pytest.mark.parametrize("push", LATER_PUSHES.values(), ids=LATER_PUSHES)
def test_a_job_for_later_waits_in_the_schedule_under_the_jid_returned(redis: Redis, push: Push) -> None:
    with using_clock(FakeClock(NOW)):
        jids = of(push())

    [(row, score)] = delayed(redis)
    assert (row["args"], score) == ([1], THEN.timestamp())
    assert (row["created_at"], "enqueued_at" in row, "at" in row) == (NOW.timestamp(), False, False)
    assert [row["jid"]] == jids
    assert not redis.exists("queues", "queue:default")


@pytest.mark.parametrize("push", (NOW_PUSHES | LATER_PUSHES).values(), ids=NOW_PUSHES | LATER_PUSHES)
def test_every_way_to_push_is_held_while_the_clock_fires(redis: Redis, push: Push) -> None:
    with using_clock(FakeClock(NOW)), holding("nightly", 1000, 500) as held:
        jids = of(push())

    assert redis.keys("*") == []
    assert held.jids == jids
    [kept] = held.pushes
    assert '"clock":{"event":"nightly","due":1000,"previous":500}' in kept.payload
    assert jids[0] in kept.payload
    assert kept.at in (None, THEN.timestamp())


@pytest.mark.parametrize("push", [MailPostcardJob.perform_in, MailPostcardJob.set(queue="low").perform_in])
def test_an_interval_that_is_none_is_refused_with_the_jobs_name(push: Any) -> None:
    with pytest.raises(ValueError, match=r"^MailPostcardJob: 'soon' is not a time; pass seconds, a timedelta or"):
        push("soon", 1)


@pytest.mark.parametrize("when", [math.inf, -math.inf, math.nan, 10**400], ids=["inf", "-inf", "nan", "10**400"])
def test_a_time_that_never_comes_is_refused(redis: Redis, when: float) -> None:
    with pytest.raises(ValueError, match="is not a time; pass seconds, a timedelta or an aware datetime"):
        MailPostcardJob.perform_in(when, 1)
    with pytest.raises(JobError, match="it must be seconds, or a timedelta"):
        MailPostcardJob.set(wait=when)

    assert redis.keys("*") == []


@pytest.mark.parametrize(
    ("when", "message"),
    [
        (1e300, "1e\\+300 is after the year 9999$"),
        (timedelta.max, "is after the year 9999"),
        (1_795_521_600_000, "is after the year 9999; pass seconds, not milliseconds"),
    ],
)
def test_a_time_after_the_year_9999_is_refused(redis: Redis, when: Any, message: str) -> None:
    for push in (MailPostcardJob.perform_in, MailPostcardJob.perform_at):
        with pytest.raises(ValueError, match=message):
            push(when, 1)
    with pytest.raises(ValueError, match=message):
        MailPostcardJob.perform_bulk([[1]], at=when)

    assert redis.keys("*") == []


@pytest.mark.parametrize("when", [-1e300, -(10**12), -timedelta(days=400_000)], ids=str)
def test_a_time_in_the_far_past_is_now(redis: Redis, when: Any) -> None:
    MailPostcardJob.perform_in(when, 1)

    assert [row["args"] for row in waiting(redis)] == [[1]]


@pytest.mark.parametrize("wait", [1e300, 1_795_521_600_000])
def test_a_wait_beyond_the_year_9999_is_refused_when_it_is_set(wait: float) -> None:
    with pytest.raises(JobError, match="it must be seconds, or a timedelta"):
        MailPostcardJob.set(wait=wait)


@pytest.mark.parametrize("interval", [-10, 0, math.nan, math.inf, 1e300, timedelta(seconds=-1), "soon", True])
def test_bulk_refuses_to_spread_over_an_interval_that_is_not_above_0(redis: Redis, interval: Any) -> None:
    with pytest.raises(ValueError, match=r"spread_interval is .*; pass seconds above 0, or a timedelta"):
        MailPostcardJob.perform_bulk([[1], [2]], spread_interval=interval)

    assert redis.keys("*") == []


def test_bulk_refuses_a_time_together_with_an_interval(redis: Redis) -> None:
    with pytest.raises(ArgumentsError, match="got at= and spread_interval=; pass one of them"):
        MailPostcardJob.perform_bulk([[1], [2]], at=3600, spread_interval=60)

    assert redis.keys("*") == []


def test_blanks_around_a_queues_name_are_left_out_as_a_worker_does(redis: Redis) -> None:
    MailPostcardJob.set(queue=" lead ").perform_async(1)
    MailPostcardJob.set(queue=" lead ").perform_bulk([[2]])

    assert redis.smembers("queues") == {b"lead"}
    rows: Any = redis.lrange("queue:lead", 0, -1)
    assert [json.loads(row)["queue"] for row in rows] == ["lead", "lead"]


def test_bulk_takes_a_time_for_each_job_and_past_ones_go_to_the_queue(redis: Redis) -> None:
    with using_clock(FakeClock(NOW)):
        jids = MailPostcardJob.perform_bulk([[1], [2], [3], [4]], at=[60, -1, THEN + MINUTE, 0])

    assert [(row["jid"], row["args"]) for row in waiting(redis)] == [(jids[1], [2]), (jids[3], [4])]
    assert [(row["jid"], score) for row, score in delayed(redis)] == [
        (jids[0], NOW.timestamp() + 60),
        (jids[2], NOW.timestamp() + 120),
    ]


def test_bulk_spreads_jobs_evenly_over_an_interval(redis: Redis) -> None:
    with using_clock(FakeClock(NOW)):
        MailPostcardJob.perform_bulk([[number] for number in range(4)], spread_interval=60)
        MailPostcardJob.set(wait=3600).perform_bulk([[8], [9]], spread_interval=timedelta(minutes=2))

    assert [row["args"] for row in waiting(redis)] == [[0]]
    assert [(row["args"][0], score - NOW.timestamp()) for row, score in delayed(redis)] == [
        (1, 15),
        (2, 30),
        (3, 45),
        (8, 3600),
        (9, 3660),
    ]


@pytest.mark.parametrize("extra", [0, 1])
def test_bulk_pushes_a_thousand_at_a_time_in_order(redis: Redis, extra: int) -> None:
    jids = MailPostcardJob.perform_bulk([[number] for number in range(2_000 + extra)])

    rows = waiting(redis)
    assert [row["jid"] for row in rows] == jids
    assert [row["args"][0] for row in rows] == list(range(2_000 + extra))
    stats: Any = redis.info("commandstats")
    assert len(set(jids)) == len(jids)
    assert stats["cmdstat_lpush"]["calls"] >= 2 + extra


def test_bulk_of_nothing_pushes_nothing(redis: Redis) -> None:
    assert MailPostcardJob.perform_bulk([]) == []
    assert MailPostcardJob.perform_bulk([], at=[]) == MailPostcardJob.perform_bulk([], spread_interval=5) == []
    assert redis.keys("*") == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            [[1], 2],
            "MailPostcardJob.perform_bulk takes a list with a list of arguments for each job, but it holds",
        ),
        ([[1], "ab"], "but it holds 'ab'; write [[1], [2]]"),
        ([[1], [2, "x", 3]], "MailPostcardJob: job 2, perform(number: int, kind: str = 'plain') cannot take 3"),
        (
            [[1], []],
            "job 2, perform(number: int, kind: str = 'plain') cannot take 0 arguments: argument 1",
        ),
        (
            [[1], [{2}]],
            "MailPostcardJob: job 2, argument 1 is a set, {2}, which JSON does not support; pass a",
        ),
        ([[1], [[[(3,)]]]], "job 2, argument 1[0][0] is a tuple, (3,)"),
        ([[1], [{"a": {3: 4}}]], "job 2, argument 1['a'] has the key 3"),
        ([[1], [{"a": ["\ud800"]}]], "job 2, argument 1['a'][0] is '\\ud800', a str that is not valid UTF-8"),
        ([[1], [{"\ud800": 1}]], "job 2, argument 1's key is '\\ud800'"),
        ([[1], [float("inf")]], "job 2, argument 1 is inf, which JSON does not support"),
    ],
)
def test_bulk_checks_all_before_it_pushes_any(redis: Redis, args: Any, message: str) -> None:
    with pytest.raises(ArgumentsError) as error:
        MailPostcardJob.perform_bulk([[number] for number in range(1_500)] + args)

    assert message.replace("job 2", "job 1502") in str(error.value)
    assert redis.keys("*") == []


def test_bulk_takes_what_gives_lists_one_by_one_but_nothing_else(redis: Redis) -> None:
    MailPostcardJob.perform_bulk([number] for number in range(3))

    assert [row["args"] for row in waiting(redis)] == [[0], [1], [2]]
    with pytest.raises(ArgumentsError, match=r"takes a list of lists of arguments, not 7; write \["):
        MailPostcardJob.perform_bulk(7)  # type: ignore[call-overload]  # the mistake


def test_bulk_wants_as_many_times_as_jobs(redis: Redis) -> None:
    with pytest.raises(ArgumentsError, match="got 3 times in at= for 2 jobs; pass one time, or one for each"):
        MailPostcardJob.perform_bulk([[1], [2]], at=[1, 2, 3])


@pytest.mark.parametrize("when", [datetime(2026, 11, 24), "tomorrow", None, True, float("nan")])
def test_what_is_no_time_is_refused(redis: Redis, when: Any) -> None:
    for push in (MailPostcardJob.perform_at, MailPostcardJob.perform_in):
        with pytest.raises(ValueError, match=r"no time zone; pass an aware datetime|is not a time; pass seconds"):
            push(when, 1)
    assert redis.keys("*") == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wait": 5, "wait_until": THEN}, "give either wait or wait_until, not both"),
        ({"wait": "soon"}, "wait is 'soon'; it must be seconds, or a timedelta"),
        ({"wait_until": datetime(2026, 11, 24)}, "it must be an aware datetime, or seconds since 1970"),
        ({"wait_untill": THEN}, "unknown option 'wait_untill'; did you mean 'wait_until'?"),
        ({"enqueue_after_commit": True}, "it must be a function that calls another one after the commit"),
    ],
)
def test_options_of_one_push_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(JobError) as error:
        MailPostcardJob.set(**options)

    assert message in str(error.value)


def test_inline_runs_a_job_of_either_kind_inside_a_loop_and_outside() -> None:
    async def inside() -> list[object]:
        return [
            MailPostcardJob.perform_inline(1, "air"),
            SendLetterLaterJob.perform_inline(2),
            await MailPostcardJob.aperform_inline(3),
            await SendLetterLaterJob.aperform_inline(4),
        ]

    assert MailPostcardJob.perform_inline(1, "air") == "1 air"
    assert SendLetterLaterJob.perform_inline(2) == 2
    assert asyncio.run(inside()) == ["1 air", 2, "3 plain", 4]


@pytest.mark.parametrize("is_awaited", [False, True])
def test_inline_a_dropped_job_returns_none(is_awaited: bool) -> None:
    if is_awaited:
        assert asyncio.run(DropLetterJob.aperform_inline()) is None
    else:
        assert DropLetterJob.perform_inline() is None


def test_an_awaited_push_leaves_the_loop_free(redis: Redis) -> None:
    """While Redis does not answer, other coroutines go on."""

    async def body() -> bool:
        redis.client_pause(60_000, all=False)  # only what writes waits
        push = asyncio.create_task(MailPostcardJob.aperform_async(1))
        for _ in range(10):
            await asyncio.sleep(0.005)
        waits = not push.done()
        redis.client_unpause()
        await push
        return waits

    assert asyncio.run(body())
    assert len(waiting(redis)) == 1


@pytest.mark.slow
def test_an_awaited_bulk_leaves_the_loop_free_while_it_is_checked_and_made(redis: Redis) -> None:
    async def body() -> int:
        push = asyncio.create_task(MailPostcardJob.aperform_bulk([[number] for number in range(100_000)]))
        turns = 0
        while not push.done():
            await asyncio.sleep(0.001)
            turns += 1
        return turns

    assert asyncio.run(body()) > 3
    assert redis.llen("queue:default") == 100_000


def test_an_awaited_push_raises_what_the_plain_one_raises(redis: Redis, redis_away: Redis) -> None:
    async def wrong() -> None:
        await MailPostcardJob.aperform_async()  # type: ignore[call-arg]  # the mistake

    with pytest.raises(ArgumentsError):
        asyncio.run(wrong())
    connection.set_default(redis_away)
    with pytest.raises(StoreError):
        asyncio.run(MailPostcardJob.aperform_async(1))


def test_a_refused_command_is_told_and_the_connection_goes_on(redis: Redis) -> None:
    redis.set("queue:default", "no list")

    with pytest.raises(StoreError, match="WRONGTYPE"):
        MailPostcardJob.perform_async(1)
    redis.delete("queue:default")
    MailPostcardJob.perform_async(2)

    assert [row["args"] for row in waiting(redis)] == [[2]]


def test_a_push_opens_a_new_connection_where_the_server_has_closed_the_idle_one(
    redis: Redis, redis_url: str
) -> None:
    with closing(connection.connect(redis_url, max_connections=1)) as only:
        connection.set_default(only)
        MailPostcardJob.perform_async(1)
        redis.client_kill_filter(_type="normal", skipme=True)
        MailPostcardJob.perform_async(2)

    assert [row["args"] for row in waiting(redis)] == [[1], [2]]


def test_a_push_whose_connection_breaks_is_told_and_the_next_one_goes_through(
    redis: Redis, redis_url: str
) -> None:
    with closing(connection.connect(redis_url, max_connections=1)) as only:
        connection.set_default(only)
        redis.client_pause(300, all=False)
        threading.Timer(0.05, lambda: redis.client_kill_filter(_type="normal", skipme=True)).start()
        with pytest.raises(StoreUnavailable):
            MailPostcardJob.perform_async(1)
        MailPostcardJob.perform_async(2)

    assert [2] in [row["args"] for row in waiting(redis)]


def test_a_push_reaches_redis_by_four_calls_in_three_files() -> None:
    ready = {b"INFO": b"$21\r\nredis_version:7.4.0\r\n\r\n", b"CLIENT": b"+OK\r\n"}
    with serving(lambda words: ready.get(words[0])) as url, closing(connection.connect(url)) as redis:
        connection.set_default(redis)
        with pytest.raises(StoreError) as raised:
            MailPostcardJob.perform_async(1)

    frames = [(frame.filename, frame.name) for frame in traceback.extract_tb(raised.tb)][1:]
    calls = frames[: [name for _, name in frames].index("send_one") + 1]
    assert len(calls) <= 4, calls
    assert len({file for file, _ in calls}) <= 3, calls


class CountNothingsJob(Job):
    def perform(self) -> None: ...


def test_one_argument_is_not_called_arguments(redis: Redis) -> None:
    with pytest.raises(
        ArgumentsError, match=r"perform\(\) cannot take 1 argument: argument 1, 7, is one too many"
    ):
        CountNothingsJob.perform_async(7)  # type: ignore[call-arg]  # what is tried
