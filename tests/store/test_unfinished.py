"""What holds up an event with `.overlap()`: its own unfinished jobs, whatever else Redis holds."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisIsAway

from clock.errors import StoreUnavailable
from clock.store import keys
from clock.store.jobs.job_search import STEPS_PER_SECOND
from clock.store.ledger import history
from clock.store.ledger.unfinished_firings import TRUSTED_MS, Unfinished
from clock.store.scripts import source

DUE = 1_795_500_000_000
JID = "a" * 24
OF_THE_TEST = {"config|resetstat", "config", "info"}  # Redis 6.2 counts no subcommands


def payload(jid: str, at_ms: int = DUE, **more: object) -> str:
    return json.dumps({"class": "J", "args": [], "jid": jid, "enqueued_at": at_ms / 1000, **more})


def watch(redis: Redis, jid: str = JID, due: int = DUE) -> None:
    redis.hset(keys.WATCHED + "feed", jid, due)
    redis.script_load(source("look_for_jobs"))  # calls are counted, and a missing script costs one


def fill(redis: Redis, queue: str, count: int, *, first_ms: int, every_ms: int = 1) -> None:
    """A queue whose jobs were pushed one after the other from `first_ms` on."""
    redis.sadd("queues", queue)
    for start in range(0, count, 5_000):
        part = range(start, min(count, start + 5_000))
        redis.lpush(f"queue:{queue}", *(payload(f"{n:024d}", first_ms + n * every_ms) for n in part))


def calls(redis: Redis) -> dict[str, int]:
    stats: Any = redis.info("commandstats")
    return {name.removeprefix("cmdstat_"): told["calls"] for name, told in stats.items()}


def test_a_job_is_believed_to_go_on_for_a_minute_without_being_looked_for(redis: Redis) -> None:
    watch(redis)
    unfinished = Unfinished(redis)
    redis.config_resetstat()

    assert [unfinished.count("feed", DUE + at) for at in (1, 1_000, TRUSTED_MS - 1)] == [1, 1, 1]

    assert set(calls(redis)) <= {"hgetall", *OF_THE_TEST}
    assert unfinished.count("feed", DUE + TRUSTED_MS) == 0
    assert not redis.exists(keys.WATCHED + "feed")


def test_a_job_deep_in_a_long_queue_is_found_without_reading_the_queue(redis: Redis) -> None:
    fill(redis, "default", 10_000, first_ms=DUE - 10_000_000, every_ms=1_000)
    redis.lpush("queue:default", payload(JID))
    fill(redis, "default", 10_000, first_ms=DUE + 1_000, every_ms=1_000)
    watch(redis)
    unfinished = Unfinished(redis)
    unfinished.count("feed", DUE + 1_000)
    redis.config_resetstat()

    assert unfinished.count("feed", DUE + TRUSTED_MS) == 1

    assert calls(redis)["evalsha"] == 1
    assert calls(redis)["lrange"] < 10
    assert unfinished.count("feed", DUE + TRUSTED_MS + 1_000) == 1  # it is known to wait for a minute more
    assert calls(redis)["evalsha"] == 1


def test_a_jid_in_the_arguments_of_a_running_job_does_not_count_in_a_queue_named_like_json(redis: Redis) -> None:
    other = json.dumps({"class": "J", "args": [{"jid": JID}], "jid": "b" * 24})
    redis.zadd(keys.WORKERS, {"w": DUE + 10 * TRUSTED_MS})
    redis.hset(keys.IN_PROGRESS + "w", "1", "{high}\n" + other)
    watch(redis)
    unfinished = Unfinished(redis)
    unfinished.count("feed", DUE + 1_000)

    assert unfinished.count("feed", DUE + TRUSTED_MS) == 0


def test_a_job_that_another_program_has_removed_from_a_long_queue_holds_up_nothing(redis: Redis) -> None:
    fill(redis, "default", 20_000, first_ms=DUE - 10_000_000, every_ms=1_000)
    watch(redis)
    unfinished = Unfinished(redis)
    unfinished.count("feed", DUE + 1_000)

    assert unfinished.count("feed", DUE + TRUSTED_MS) == 0


def test_a_retried_job_is_found_where_it_entered_its_queue_again(redis: Redis) -> None:
    fill(redis, "default", 20_000, first_ms=DUE)
    retry(redis, DUE + 30_000)
    redis.lpush("queue:default", payload(JID, DUE + 30_020))
    fill(redis, "default", 20_000, first_ms=DUE + 31_000)
    redis.config_resetstat()

    assert Unfinished(redis).count("feed", DUE + 2 * TRUSTED_MS) == 1

    assert calls(redis)["evalsha"] == 1


def test_a_retried_job_that_entered_its_queue_late_is_looked_for_in_steps_until_it_is_found(redis: Redis) -> None:
    retry(redis, DUE + 30_000)
    fill(redis, "default", 10_000, first_ms=DUE + 30_000)
    redis.lpush("queue:default", payload(JID, DUE + 40_000))
    fill(redis, "default", 10_000, first_ms=DUE + 40_000)
    unfinished = Unfinished(redis)

    now, steps = DUE + 2 * TRUSTED_MS, []
    for _ in range(8):
        redis.config_resetstat()
        assert unfinished.count("feed", now) == 1
        steps.append(calls(redis).get("evalsha", 0))
        now += 1_000

    assert max(steps) <= STEPS_PER_SECOND + 1  # one that finds the script not loaded
    assert steps[-1] == 0  # it was found


def test_a_job_that_waits_for_its_retry_is_found_by_the_score_that_its_worker_noted(redis: Redis) -> None:
    redis.zadd("retry", {f"r{number}": DUE + number for number in range(10_000)})
    retry(redis, DUE + 600_500)
    redis.zadd("retry", {payload(JID): (DUE + 600_500) / 1000})
    redis.config_resetstat()

    assert Unfinished(redis).count("feed", DUE + TRUSTED_MS) == 1

    assert set(calls(redis)) <= {"hgetall", "zcount", *OF_THE_TEST}


def retry(redis: Redis, at_ms: int) -> None:
    watch(redis)
    redis.xadd(keys.HISTORY + "feed", {"entry": "{}"})
    history.add_outcome(redis, "feed", JID, {"outcome": "retry"}, ended=False, retry_at=at_ms / 1000)


def test_a_job_that_was_delayed_is_found_where_it_entered_its_queue_later(redis: Redis) -> None:
    watch(redis)
    redis.zadd("schedule", {payload(JID): (DUE + 90_000) / 1000})
    unfinished = Unfinished(redis)
    assert unfinished.count("feed", DUE + TRUSTED_MS) == 1

    redis.delete("schedule")
    fill(redis, "default", 10_000, first_ms=DUE + 80_000)
    redis.lpush("queue:default", payload(JID, DUE + 90_000))
    fill(redis, "default", 10_000, first_ms=DUE + 90_001)

    assert {unfinished.count("feed", DUE + 3 * TRUSTED_MS + second * 1_000) for second in range(8)} == {1}
    assert redis.hexists(keys.WATCHED + "feed", JID)


def test_the_history_is_read_once_for_a_job_that_is_searched_again_and_again(redis: Redis) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", payload(JID))
    watch(redis)
    unfinished = Unfinished(redis)
    redis.config_resetstat()

    assert [unfinished.count("feed", DUE + number * TRUSTED_MS) for number in range(1, 5)] == [1] * 4

    assert calls(redis)["xrevrange"] == 1
    assert calls(redis)["evalsha"] == 4


def test_looking_for_many_events_takes_no_more_steps_than_for_one(redis: Redis) -> None:
    fill(redis, "default", 20_000, first_ms=DUE)
    for number in range(50):
        redis.hset(f"{keys.WATCHED}event-{number}", f"{number:024x}", DUE)
    unfinished = Unfinished(redis)
    redis.config_resetstat()

    for number in range(50):
        unfinished.count(f"event-{number}", DUE + TRUSTED_MS)

    assert calls(redis)["evalsha"] <= STEPS_PER_SECOND + 1  # one that finds the script not loaded


def among_retries(redis: Redis) -> None:
    redis.zadd("retry", {payload(JID): 500.5, **{f"r{number}": number for number in range(3_000)}})


def beside_jobs_without_a_time(redis: Redis) -> None:
    fill(redis, "low", 3_000, first_ms=DUE - 3_000)
    redis.lpush("queue:low", "?", payload(JID), "?")


def with_milliseconds_of_sidekiq_8(redis: Redis) -> None:
    times = [DUE - number for number in range(2_500, -1, -1)]
    redis.sadd("queues", "low")
    redis.lpush(
        "queue:low", *(json.dumps({"jid": JID if at == DUE else str(at), "enqueued_at": at}) for at in times)
    )


def put_back_to_the_front(redis: Redis) -> None:
    fill(redis, "low", 3_000, first_ms=DUE - 3_000_000)
    redis.rpush("queue:low", payload(JID))


def in_a_busy_ruby_process(redis: Redis) -> None:
    redis.sadd("processes", "r")
    redis.hset("r:work", "t", json.dumps({"queue": "q", "payload": payload(JID)}))


@pytest.mark.parametrize(
    "put",
    [
        among_retries,
        beside_jobs_without_a_time,
        with_milliseconds_of_sidekiq_8,
        put_back_to_the_front,
        in_a_busy_ruby_process,
    ],
)
def test_a_job_is_found(redis: Redis, put: Callable[[Redis], None]) -> None:
    watch(redis)
    put(redis)
    unfinished = Unfinished(redis)

    counts = [unfinished.count("feed", DUE + TRUSTED_MS + second * 1_000) for second in range(3)]

    assert counts == [1, 1, 1]
    assert redis.hexists(keys.WATCHED + "feed", JID)


@pytest.mark.parametrize("place", ["queue:default", "clock:in_progress:w"])
def test_large_payloads_are_not_read_and_the_job_counts_as_unfinished(redis: Redis, place: str) -> None:
    large = "x" * 200_000
    if place == "queue:default":
        redis.sadd("queues", "default")
        redis.lpush(place, *[large] * 3)
    else:
        redis.zadd(keys.WORKERS, {"w": DUE * 2})
        redis.hset(place, "1", f"default\n{large}")
    watch(redis)
    redis.config_resetstat()

    assert Unfinished(redis).count("feed", DUE + TRUSTED_MS) == 1

    assert not {"lrange", "hget"} & set(calls(redis))


WRONG: dict[str, Callable[[Redis, str], object]] = {
    "string": lambda redis, key: redis.set(key, "x"),
    "list": lambda redis, key: redis.rpush(key, "x"),
    "set": lambda redis, key: redis.sadd(key, "x"),
    "sorted set": lambda redis, key: redis.zadd(key, {"x": 1}),
    "hash": lambda redis, key: redis.hset(key, "x", "x"),
    "bytes": lambda redis, key: redis.hset(key, b"\xff", b"\xff"),
    "stream": lambda redis, key: redis.xadd(key, {"x": "x"}),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize(
    "key",
    [
        "queues", "queue:evil", "schedule", "retry", "processes", "evil:work", "clock:workers", "clock:parked",
        "clock:in_progress:evil", "clock:parked:evil", "clock:watched:feed",
    ],
)  # fmt: skip
def test_a_key_that_another_program_has_written_stops_no_event(redis: Redis, key: str, kind: str) -> None:
    redis.sadd("queues", "evil", "default")
    redis.sadd("processes", "evil")
    redis.sadd("clock:parked", "evil")
    redis.zadd("clock:workers", {"evil": DUE * 2})
    redis.lpush("queue:default", payload("b" * 24))
    redis.hset(keys.WATCHED + "other", "b" * 24, DUE)
    watch(redis)
    redis.delete(key)
    WRONG[kind](redis, key)
    unfinished = Unfinished(redis)

    counts = [unfinished.count(event, DUE + TRUSTED_MS) for event in ("feed", "other")]

    assert counts[0] == 0
    assert counts[1] == (0 if key == "queues" else 1)


def test_a_late_retry_of_an_event_that_was_forgotten_leaves_no_key(redis: Redis) -> None:
    history.add_outcome(redis, "gone", JID, {"outcome": "done", "at": DUE}, ended=True)
    history.add_outcome(redis, "gone", JID, {"outcome": "retry", "at": DUE}, ended=False)

    assert redis.keys("*") == []


def test_the_history_says_when_a_job_was_pushed_so_that_little_is_searched_for_one_that_is_gone(
    redis: Redis,
) -> None:
    redis.xadd(keys.HISTORY + "feed", {"entry": json.dumps({"due": DUE, "decision": "fired"})}, id=f"{DUE + 20}-0")
    redis.xadd(keys.HISTORY + "feed", {"entry": "another program's"})
    watch(redis)
    fill(redis, "default", 40_000, first_ms=DUE + 5_000)

    assert Unfinished(redis).count("feed", DUE + TRUSTED_MS) == 0


def test_a_history_of_another_type_is_no_help_and_no_obstacle(redis: Redis) -> None:
    redis.set(keys.HISTORY + "feed", "in the way")
    watch(redis)

    assert Unfinished(redis).count("feed", DUE + TRUSTED_MS) == 0


def test_unfinished_jobs_that_cannot_be_read_are_logged_once(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    redis.set(keys.WATCHED + "feed", "in the way")
    unfinished = Unfinished(redis)

    assert [unfinished.count("feed", DUE + at) for at in (0, 1_000)] == [0, 0]
    [message] = caplog.messages
    assert message.startswith("The unfinished jobs of 'feed' cannot be read and are ignored: ")


@pytest.mark.parametrize("call", ["hgetall", "xrevrange"])
def test_a_redis_that_is_away_is_an_error(redis: Redis, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def away(*_: object, **__: object) -> None:
        raise RedisIsAway("away")

    watch(redis)
    monkeypatch.setattr(redis, call, away)

    with pytest.raises(StoreUnavailable):
        Unfinished(redis).count("feed", DUE + TRUSTED_MS)


def test_a_job_that_ends_while_it_is_searched_is_searched_no_more(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    retry(redis, DUE + 30_000)
    fill(redis, "default", 10_000, first_ms=DUE + 30_000)
    unfinished = Unfinished(redis)
    before = unfinished.count("feed", DUE + 2 * TRUSTED_MS)

    redis.hdel(keys.WATCHED + "feed", JID)
    after = [unfinished.count("feed", DUE + 2 * TRUSTED_MS + n * 1_000) for n in range(1, 20)]

    assert (before, set(after)) == (1, {0})
    assert not caplog.messages


def test_jobs_of_one_firing_count_once(redis: Redis) -> None:
    watch(redis)
    watch(redis, "b" * 24)
    watch(redis, "c" * 24, DUE - 1_000)

    assert Unfinished(redis).count("feed", DUE + 1) == 2


@pytest.mark.parametrize(
    ("score", "is_valid"),
    [
        ("1795500030.5", True),
        ("1795500030", True),
        ("1" * 24, True),
        ("1" * 25, False),
        ("1.2.3", False),
        ("-1", False),
        ("x", False),
    ],
)
def test_a_score_that_is_no_time_is_not_looked_up(redis: Redis, score: str, is_valid: bool) -> None:
    watch(redis)
    redis.hset(keys.WATCHED + "feed", JID, f"{DUE} {score}")
    redis.config_resetstat()

    Unfinished(redis).count("feed", DUE + TRUSTED_MS)

    assert ("zcount" in calls(redis)) is is_valid
