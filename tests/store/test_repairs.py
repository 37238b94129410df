"""Changes by hand: each job that is still in its place is changed, and no other."""

from collections.abc import Iterable, Iterator

import pytest
from redis import Redis

from clock.clocks import from_ms
from clock.config import Config
from clock.store import keys, repairs
from clock.store.jobs import steps
from clock.store.jobs.flow import batches
from clock.store.jobs.steps import PageSize
from clock.store.server.opening import connected
from clock.store.server.shards import every
from tests.store.jobs.calls import script_calls

NOW = from_ms(1_795_500_000_000)


@pytest.fixture
def home(redis: Redis, redis_url: str) -> Iterator[Redis]:
    """The home of an application with two shards, its own place included."""
    found = connected(Config(redis=redis_url, namespace="shop", shards=2), 3)
    yield found
    for place in every(found):
        place.close()


def numbered(count: int) -> list[bytes]:
    return [b"%04d" % number for number in range(count)]


def job_of_batch(number: int) -> bytes:
    """A job of the batch "b"."""
    return f'{{"class":"J","bid":"b","jid":"j{number:04}"}}'.encode()


def child(redis: Redis, number: int) -> bytes:
    """A job of the batch "b", which waits for it."""
    redis.zadd(keys.BATCH_CHILDREN, {f"b/p/j{number:04}": 0})
    return job_of_batch(number)


def ends(redis: Redis) -> dict[str, str]:
    """How each child of the batch has ended."""
    return {one.jid: one.how for one in batches.children(redis, "b", "f")}


@pytest.mark.parametrize("where", [keys.SCHEDULE, keys.RETRY, keys.DEAD])
def test_jobs_are_removed_from_a_set_in_short_steps_and_counted_if_they_were_there(
    redis: Redis, where: str
) -> None:
    redis.zadd(where, dict.fromkeys(numbered(450), 5))
    redis.config_resetstat()

    assert repairs.remove_waiting(redis, where, [*numbered(449), b"gone"]) == 449

    assert redis.zrange(where, 0, -1) == [b"0449"]
    assert script_calls(redis) == 3


@pytest.mark.parametrize(("where", "how"), [(keys.RETRY, "cancelled"), (keys.SCHEDULE, "deleted")])
def test_a_removed_job_has_ended_for_its_batch_unless_it_was_dead(redis: Redis, where: str, how: str) -> None:
    redis.zadd(where, {child(redis, 1): 5})
    redis.zadd(keys.DEAD, {child(redis, 2): 5})
    batches.open_batch(redis, "b", batches.Batch(), now=NOW)

    repairs.remove_waiting(redis, where, [job_of_batch(1)], how)
    repairs.remove_waiting(redis, keys.DEAD, [job_of_batch(2)], how)

    assert ends(redis) == {"j0001": how}


@pytest.mark.parametrize("has_batches", [False, True])
def test_all_jobs_of_a_set_are_removed_in_all_shards(home: Redis, has_batches: bool) -> None:
    for place in every(home):
        place.zadd(keys.RETRY, dict.fromkeys(numbered(2_001), 5))
        if has_batches:
            child(place, 1)

    assert repairs.clear_waiting(home, keys.RETRY) == 4_002
    assert repairs.clear_waiting(home, keys.RETRY) == 0

    assert [place.exists(keys.RETRY) for place in every(home)] == [0, 0]


def test_jobs_are_buried_and_scheduled_again_in_short_steps(redis: Redis) -> None:
    redis.zadd(keys.RETRY, dict.fromkeys(numbered(250), 5))
    redis.config_resetstat()

    assert repairs.bury(redis, keys.RETRY, [*numbered(250), b"gone"], 7.5) == 250
    assert repairs.schedule_dead(redis, numbered(3), 9.5) == 3

    assert script_calls(redis) == 3
    assert redis.zcard(keys.DEAD) == 247
    assert redis.zscore(keys.DEAD, b"0003") == 7.5
    assert redis.zrange(keys.SCHEDULE, 0, -1, withscores=True) == [(job, 9.5) for job in numbered(3)]


def test_a_buried_job_has_ended_for_its_batch_until_it_is_scheduled_again(redis: Redis) -> None:
    batches.open_batch(redis, "b", batches.Batch(), now=NOW)
    redis.zadd(keys.RETRY, {child(redis, 1): 5})

    repairs.bury(redis, keys.RETRY, [job_of_batch(1)], 7)
    assert ends(redis) == {"j0001": "dead"}
    repairs.schedule_dead(redis, [job_of_batch(1)], 9)

    assert ends(redis) == {}
    assert batches.state_of(redis, [("b", "j0001")]) == ["p"]


@pytest.mark.parametrize("wanted", [[0], [16], [80], [399], [0, 15, 16, 79, 80, 399], list(range(400))])
def test_jobs_are_removed_from_a_long_queue_wherever_they_are(redis: Redis, wanted: list[int]) -> None:
    jobs = numbered(400)
    redis.lpush("queue:mail", *jobs)

    found = repairs.remove_queued(redis, "mail", [*(jobs[at] for at in wanted), b"gone"])

    assert found == len(wanted)
    assert redis.lrange("queue:mail", 0, -1) == [job for at, job in enumerate(jobs) if at not in wanted][::-1]


def test_a_queue_of_large_jobs_is_looked_through_job_by_job(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "STEP_BYTES", 1)
    redis.lpush("queue:mail", *numbered(20))

    assert repairs.remove_queued(redis, "mail", [b"0018", b"gone"]) == 1
    assert redis.llen("queue:mail") == 19


def test_of_equal_payloads_as_many_are_removed_as_were_asked_for(redis: Redis) -> None:
    redis.lpush("queue:mail", *[b"same"] * 40, b"other")

    assert repairs.remove_queued(redis, "mail", [b"same"] * 25) == 25

    assert redis.lrange("queue:mail", 0, -1) == [b"other", *[b"same"] * 15]


def test_a_search_in_a_queue_stops_when_all_jobs_were_found(redis: Redis) -> None:
    redis.lpush("queue:mail", *numbered(400))
    redis.config_resetstat()

    assert repairs.remove_queued(redis, "mail", [b"0003"]) == 1

    assert script_calls(redis) == 1


def test_a_job_that_moved_to_another_page_as_workers_took_jobs_is_removed_all_the_same(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.lpush("queue:mail", *numbered(400))
    note = PageSize.note

    def note_after_claims(size: PageSize, page: Iterable[bytes]) -> None:
        redis.rpop("queue:mail", 5)
        note(size, page)

    monkeypatch.setattr(PageSize, "note", note_after_claims)

    assert repairs.remove_queued(redis, "mail", [b"0016", b"0017"]) == 2


def test_a_removed_job_of_a_queue_has_ended_for_its_batch(redis: Redis) -> None:
    batches.open_batch(redis, "b", batches.Batch(), now=NOW)
    redis.lpush("queue:mail", child(redis, 1), child(redis, 2), child(redis, 3))

    repairs.remove_queued(redis, "mail", [job_of_batch(1)], "cancelled")
    repairs.remove_from_part(redis, "mail", -1, -1, [job_of_batch(2)])

    assert ends(redis) == {"j0001": "cancelled", "j0002": "deleted"}


def test_jobs_are_removed_from_a_part_of_a_queue_only(redis: Redis) -> None:
    redis.rpush("queue:mail", *numbered(450))

    assert repairs.remove_from_part(redis, "mail", 0, 9, [*numbered(20), b"gone"]) == 10
    assert repairs.remove_from_part(redis, "mail", 90, 339, numbered(450)[100:350]) == 250

    assert redis.lrange("queue:mail", 0, -1) == [*numbered(100)[10:], *numbered(450)[350:]]


def test_the_due_times_of_jobs_that_are_still_there_are_set(redis: Redis) -> None:
    redis.zadd(keys.RETRY, dict.fromkeys(numbered(300), 5))

    assert repairs.reschedule(redis, keys.RETRY, [*numbered(250), b"gone"], 7.5) == 250
    assert repairs.reschedule(redis, keys.RETRY, numbered(2), 7.5) == 0  # they are due then

    assert redis.zcount(keys.RETRY, 7.5, 7.5) == 250
    assert redis.zcard(keys.RETRY) == 300


@pytest.mark.parametrize("has_batches", [False, True])
def test_a_queue_is_deleted_with_all_its_jobs_in_all_shards(home: Redis, has_batches: bool) -> None:
    for place in every(home):
        place.sadd(keys.QUEUES, "mail", "low")
        place.lpush("queue:mail", *numbered(401))
        if has_batches:
            child(place, 1)

    assert repairs.clear_queue(home, "mail") == 802
    assert repairs.clear_queue(home, "mail") == 0

    assert [place.smembers(keys.QUEUES) for place in every(home)] == [{b"low"}, {b"low"}]
    assert [place.exists("queue:mail") for place in every(home)] == [0, 0]


def test_an_event_that_left_the_clock_file_is_forgotten_and_one_that_came_back_is_not(redis: Redis) -> None:
    for event in ("old", "back"):
        for key in (keys.LEDGER_ANCHOR, keys.LEDGER_DECLARATION, keys.LEDGER_DECIDED, keys.LEDGER_COUNTED):
            redis.hset(key, event, 5)
        redis.xadd(keys.HISTORY + event, {"entry": "{}"})
    redis.hset(keys.LEDGER_ORPHANED, "old", 5)

    assert repairs.forget_event(redis, "old")
    assert not repairs.forget_event(redis, "old")
    assert not repairs.forget_event(redis, "back")

    assert redis.hkeys(keys.LEDGER_DECIDED) == [b"back"]
    assert redis.exists(f"{keys.HISTORY}back", f"{keys.HISTORY}old") == 1


def test_workers_without_a_register_are_adopted_as_dead_ones(redis: Redis) -> None:
    redis.zadd(keys.WORKERS, {"lives": 9e12})

    assert repairs.adopt(redis, ["lives", "lost"]) == 1
    assert repairs.adopt(redis, []) == 0

    assert redis.zrange(keys.WORKERS, 0, -1, withscores=True) == [(b"lost", 0), (b"lives", 9e12)]


def test_a_signal_is_sent_to_all_shards_and_expires_after_a_minute(home: Redis) -> None:
    repairs.signal(home, "host:1:a", "TSTP")
    repairs.signal(home, "host:1:a", "TERM")

    for place in every(home):
        assert place.lrange(keys.signals("host:1:a"), 0, -1) == [b"TERM", b"TSTP"]
        assert place.ttl(keys.signals("host:1:a")) == 60


def test_counters_are_set_to_0_and_those_of_days_are_kept(home: Redis) -> None:
    for place in every(home):
        place.mset({keys.STAT_PROCESSED: 5, keys.STAT_FAILED: 6, f"{keys.STAT_PROCESSED}:2026-11-24": 7})

    repairs.reset_counters(home, ["processed"])

    names = (keys.STAT_PROCESSED, keys.STAT_FAILED, f"{keys.STAT_PROCESSED}:2026-11-24")
    assert [place.mget(names) for place in every(home)] == [[b"0", b"6", b"7"]] * 2
