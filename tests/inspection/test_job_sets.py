import json

import pytest
from redis import Redis

from clock.inspection.jobs.job_sets import DEAD, RETRY, QueueJobs, WaitingSet, queues
from clock.inspection.jobs.jobs import FoundJob, JobFilter
from clock.inspection.jobs.pages import queue_place, set_place
from tests.inspection.conftest import NOW_SECONDS, Payload


def jids(jobs: list[FoundJob]) -> list[str]:
    return [job.jid for job in jobs]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (JobFilter(), ["a", "b", "c"]),
        (JobFilter(job_class="Send*"), ["a", "b"]),
        (JobFilter(queue="low"), ["b"]),
        (JobFilter(older_than=3600), ["a"]),
        (JobFilter(jids=frozenset("ac")), ["a", "c"]),
        (JobFilter(text="OSERROR"), ["a"]),
        (JobFilter(job_class="Send*", older_than=30, queue="default"), ["a"]),
    ],
)
def test_jobs_are_meant_by_class_queue_age_and_jid(
    redis: Redis, retries: list[bytes], wanted: JobFilter, expected: list[str]
) -> None:
    found = [job for job in set_place(redis, RETRY).jobs() if wanted.accepts(job, now=NOW_SECONDS)]

    assert jids(found) == expected


def test_a_job_tells_what_it_failed_with(redis: Redis, retries: list[bytes]) -> None:
    job = next(set_place(redis, RETRY).jobs())

    assert (job.job_class, job.args, job.error, job.retries) == ("SendMailJob", [1], "OSError: down", 3)
    assert job.at == NOW_SECONDS


def test_a_retried_job_enters_its_queue_and_is_not_charged_for_the_try(redis: Redis, retries: list[bytes]) -> None:
    place = WaitingSet(redis, RETRY)

    moved = place.enqueue([next(set_place(redis, RETRY).jobs())], NOW_SECONDS)

    assert moved == 1
    assert redis.zcard("retry") == 2
    pushed = json.loads(redis.lindex("queue:default", 0) or b"")
    assert (pushed["jid"], pushed["retry_count"], pushed["enqueued_at"]) == ("a", 2, NOW_SECONDS)
    assert redis.smembers("queues") == {b"default"}


def test_what_a_worker_has_taken_meanwhile_is_left_alone(redis: Redis, retries: list[bytes]) -> None:
    place = WaitingSet(redis, RETRY)
    jobs = list(set_place(redis, RETRY).jobs())
    redis.zrem("retry", retries[0])

    assert place.enqueue(jobs[:1], NOW_SECONDS) == 0
    assert place.bury(jobs[:1], NOW_SECONDS) == 0
    assert place.delete(jobs[:1]) == 0
    assert redis.llen("queue:default") == 0
    assert redis.zcard("dead") == 0


def test_a_buried_job_is_among_the_dead(redis: Redis, retries: list[bytes]) -> None:
    place = WaitingSet(redis, RETRY)

    assert place.bury(list(set_place(redis, RETRY).jobs())[:2], NOW_SECONDS) == 2
    assert jids(list(set_place(redis, DEAD).jobs())) == ["a", "b"]
    assert redis.zscore("dead", retries[0]) == NOW_SECONDS


def test_more_jobs_than_a_page_are_all_found(redis: Redis, payload: Payload) -> None:
    redis.zadd("dead", {payload(f"{index:04}"): index for index in range(1_234)})
    redis.rpush("queue:default", *[payload(f"{index:04}") for index in range(1_234)])

    assert jids(list(set_place(redis, DEAD).jobs())) == [f"{index:04}" for index in range(1_234)]
    assert jids(list(queue_place(redis, "default").jobs())) == [f"{index:04}" for index in reversed(range(1_234))]


def test_what_is_no_payload_can_be_seen_and_deleted(redis: Redis) -> None:
    redis.zadd("dead", {b"\xff[1": 1})
    place = WaitingSet(redis, DEAD)
    [job] = set_place(redis, DEAD).jobs()

    assert (job.job_class, job.jid, job.args) == ("unreadable", "", "\\xff[1")
    assert place.delete([job]) == 1


def test_a_queue_tells_its_size_and_how_long_the_next_job_has_waited(redis: Redis, payload: Payload) -> None:
    redis.sadd("queues", "default", "idle")
    redis.lpush("queue:default", payload("a", enqueued_at=NOW_SECONDS - 30), payload("b", enqueued_at=NOW_SECONDS))

    default, idle = queues(redis, NOW_SECONDS)

    assert (default.name, default.size, default.latency) == ("default", 2, 30.0)
    assert (idle.name, idle.size, idle.latency) == ("idle", 0, 0.0)


def test_the_milliseconds_of_sidekiq_8_are_understood(redis: Redis, payload: Payload) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", payload("a", enqueued_at=int(NOW_SECONDS * 1000) - 5_000))

    assert queues(redis, NOW_SECONDS)[0].latency == pytest.approx(5.0)


def test_a_queue_is_cleared_with_its_name(redis: Redis, payload: Payload) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", payload("a"), payload("b"))

    assert QueueJobs(redis, "default").clear() == 2
    assert redis.keys() == []


def test_one_job_is_deleted_from_a_queue(redis: Redis, payload: Payload) -> None:
    redis.lpush("queue:default", payload("a"), payload("b"), payload("c"))
    place = QueueJobs(redis, "default")

    place.delete([job for job in queue_place(redis, "default").jobs() if job.jid == "b"])

    assert jids(list(queue_place(redis, "default").jobs())) == ["a", "c"]


def push(redis: Redis, letters: str) -> None:
    """Make the queue hold jobs of these letters, the first one to be taken first."""
    redis.delete("queue:default")
    if letters:
        redis.lpush("queue:default", *letters)


@pytest.mark.parametrize(
    ("held", "deleted", "left"),
    [
        ("abcdefgh", "aceg", "bdfh"),
        ("abcdefgh", "ab", "cdefgh"),
        ("abcdefgh", "bc", "adefgh"),
        ("abcdefgh", "gh", "abcdef"),
        ("abcdefgh", "abcdefgh", ""),
        ("abcdefgh", "xbyz", "acdefgh"),
        ("aabacaa", "aa", "bacaa"),
        ("abc", "", "abc"),
        ("", "a", ""),
    ],
)
def test_what_is_left_in_a_queue_keeps_its_order(redis: Redis, held: str, deleted: str, left: str) -> None:
    push(redis, held)
    jobs = [FoundJob(letter.encode()) for letter in deleted]

    count = QueueJobs(redis, "default").delete(jobs)

    assert b"".join(job.member for job in queue_place(redis, "default").jobs()).decode() == left
    assert count == len(held) - len(left)


def test_many_jobs_are_deleted_in_going_through_the_queue_once(redis: Redis) -> None:
    redis.lpush("queue:default", *range(4_000))
    redis.config_resetstat()

    QueueJobs(redis, "default").delete([FoundJob(b"%d" % number) for number in range(0, 4_000, 2)])

    calls = {name: told["calls"] for name, told in redis.info("commandstats").items()}
    assert calls["cmdstat_lrem"] < 30  # which looks through the list: once for each part, not for each job
    assert calls["cmdstat_lrange"] < 60
    assert redis.lrange("queue:default", 0, -1) == [b"%d" % number for number in range(3_999, 0, -2)]


def test_jobs_can_be_deleted_from_a_server_whose_memory_is_full(redis: Redis) -> None:
    push(redis, "abc")
    redis.config_set("maxmemory", "1")
    try:
        deleted = QueueJobs(redis, "default").delete([FoundJob(b"b")])
    finally:
        redis.config_set("maxmemory", "0")

    assert deleted == 1
    assert redis.lrange("queue:default", 0, -1) == [b"c", b"a"]


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (JobFilter(error="DOWN for"), 1),
        (JobFilter(error="oserror: the mail"), 1),
        (JobFilter(error="straße"), 1),
        (JobFilter(error="STRASSE"), 0),  # another spelling, not another case: Redis cannot find it
        (JobFilter(error="zzz"), 0),
        (JobFilter(args="Ada"), 1),
        (JobFilter(args='"n":1.0'), 1),
        (JobFilter(args="100000"), 1),
        (JobFilter(text="MAILJOB"), 1),
        (JobFilter(job_class="*mailjob*"), 0),
    ],
)
def test_a_search_in_redis_and_one_here_find_the_same_jobs(redis: Redis, wanted: JobFilter, count: int) -> None:
    payload = (
        '{"class":"SendMailJob","jid":"a","args":["ada",{"n":1.0},1e5],"error_class":"OSError",'
        '"error_message":"the mail server is Down for Stra\\u00dfe"}'
    )
    redis.zadd("dead", {payload: 5.0})
    here = [job for job in set_place(redis, "dead").jobs() if wanted.accepts(job, now=0.0)]

    page = set_place(redis, "dead").page(wanted, now=0.0)

    assert [job.jid for job in page.jobs] == [job.jid for job in here]
    assert len(here) == count


def test_a_member_that_is_no_payload_is_enqueued_as_it_is_for_a_worker_to_bury(redis: Redis) -> None:
    redis.zadd("retry", {"nonsense": NOW_SECONDS})
    waiting = WaitingSet(redis, RETRY)

    assert waiting.enqueue(list(set_place(redis, RETRY).jobs()), NOW_SECONDS) == 1

    assert redis.lrange("queue:default", 0, -1) == [b"nonsense"]
