"""Concurrency limits: who gets a place, who is blocked, and who gets the place that becomes free."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from redis import ConnectionPool, Redis

from clock import Job, Limit
from clock.errors import JobError
from clock.inspection.jobs.limits import places
from clock.job.push.client import using_clock
from clock.store.jobs.delayed import Delayed, Nearer
from clock.store.jobs.flow import limit_holders
from clock.testing import FakeClock
from clock.worker.maintenance.duties import LimitChecks
from clock.worker.maintenance.recovery import recover
from clock.worker.maintenance.scheduled import ScheduledJobs
from tests.job.redis_rows import delayed, waiting
from tests.limited import violations
from tests.worker import jobs
from tests.worker.conftest import NOW, Bench

Build = Callable[..., Bench]
around: list[Callable[[], object]] = []


class SyncContactsJob(Job):
    limits: ClassVar[Any] = [Limit("crm", 2)]

    def perform(self, account: int = 0) -> None:
        jobs.note(self.jid, account)
        for call in around:
            call()


class SyncOneJob(SyncContactsJob):
    limits: ClassVar[Any] = Limit("one", 1)


class SyncAccountJob(SyncContactsJob):
    limits: ClassVar[Any] = [Limit("crm", 2), Limit(lambda account: f"crm:{account}", 1)]


class UnlimitedJob(Job):
    def perform(self) -> None:
        jobs.note(self.jid, "free")


@pytest.fixture(autouse=True)
def _fresh(fake_clock: FakeClock) -> Any:
    around.clear()
    with using_clock(fake_clock):
        yield


def boom() -> None:
    raise RuntimeError("boom")


def members(redis: Redis, key: str) -> list[str]:
    found: Any = redis.zrange(key, 0, -1)
    return [member.decode() for member in found]


def holders(redis: Redis) -> list[tuple[str, str, str]]:
    """(name, jid, place) of each, by jid."""
    names = sorted({re.split("[\n\v]", member)[0] for member in members(redis, "clock:limit_holders")})
    return [(name, *place) for name in names for place in sorted(places(redis, name, 100))]


def blocked(redis: Redis) -> list[tuple[str, str]]:
    """(name, jid) of each, in their order."""
    found = [member.split("\n", 3) for member in members(redis, "clock:blocked")]
    return [(name, json.loads(payload)["jid"]) for name, _, _, payload in found]


def claim(bench: Bench, limit: int = 10) -> list[str]:
    return [json.loads(job.payload)["jid"] for job in bench.fetcher.claims.claim(limit)]


def move_freed(redis: Redis, clock: FakeClock) -> None:
    ScheduledJobs(Delayed(redis), Nearer(redis), clock=clock).poll()


def test_a_blocked_job_of_a_paused_queue_takes_no_place_from_the_others(bench: Build, redis: Redis) -> None:
    SyncOneJob.perform_async(0)
    worker = bench()
    worker.fetcher.claim(1)
    paused = [SyncOneJob.set(queue="low").perform_async(number) for number in (1, 2)]
    assert claim(worker) == []
    other = SyncOneJob.perform_async(3)
    assert claim(worker) == []
    redis.sadd("paused", "low")

    worker.processor.process(worker.take())
    worker.fetcher.acknowledge()
    move_freed(redis, FakeClock(NOW))

    assert claim(worker) == [other]
    assert blocked(redis) == []
    assert [jid for _, jid, _ in holders(redis)] == [other]
    redis.srem("paused", "low")
    assert (claim(worker), [jid for _, jid in blocked(redis)]) == ([], paused)


def test_a_place_that_a_job_got_before_its_queue_was_paused_goes_to_the_others(bench: Build, redis: Redis) -> None:
    SyncAccountJob.perform_async(1)
    worker = bench()
    worker.fetcher.claim(1)
    with_place = SyncAccountJob.set(queue="low").perform_async(1)
    claim(worker)
    others = SyncAccountJob.perform_async(1)
    claim(worker)
    worker.processor.process(worker.take())
    worker.fetcher.acknowledge()
    move_freed(redis, FakeClock(NOW))
    redis.sadd("paused", "low")
    assert claim(worker) == []
    assert {jid for _, jid, _ in holders(redis)} == {with_place}

    limit_holders.heal(redis, now=datetime.now(UTC) + timedelta(minutes=2))
    move_freed(redis, FakeClock(NOW))

    assert claim(worker) == [others]
    assert {jid for _, jid, _ in holders(redis)} == {others}
    assert not redis.exists("clock:limit_reserved")
    redis.srem("paused", "low")
    assert claim(worker) == []
    assert {jid for _, jid in blocked(redis)} == {with_place}


@pytest.fixture
def reader_of_default(redis: Redis) -> Iterator[Redis]:
    """The client of a user that may read the queue "default" and no other queue."""
    patterns = ["clock:*", "queue:default", "queues", "paused", "schedule", "retry", "processes", "stat:*"]
    redis.acl_setuser("part", enabled=True, nopass=True, keys=patterns, commands=["+@all"])
    options = {**redis.connection_pool.connection_kwargs, "username": "part", "password": "any"}
    yield Redis(connection_pool=ConnectionPool(redis.connection_pool.connection_class, **options))
    redis.acl_deluser("part")


def test_the_check_goes_on_after_a_paused_queue_that_the_worker_may_not_read(
    bench: Build, redis: Redis, reader_of_default: Redis
) -> None:
    worker = bench()
    SyncOneJob.perform_async()
    UnlimitedJob.set(limits=Limit("two", 1)).perform_async()
    worker.fetcher.claim(2)
    unread = SyncOneJob.set(queue="low").perform_async()
    read, _ = (UnlimitedJob.set(limits=Limit("two", 1)).perform_async() for _ in range(2))
    claim(worker)
    for _ in range(2):
        worker.processor.process(worker.take())
    worker.fetcher.acknowledge()
    move_freed(redis, FakeClock(NOW))
    redis.sadd("paused", "low", "default")
    assert {jid for _, jid, _ in holders(redis)} == {unread, read}
    redis.hset("clock:rates", "mailgun", "1")

    LimitChecks(reader_of_default, clock=FakeClock(datetime.now(UTC) + timedelta(minutes=2))).look()

    assert {jid for _, jid, _ in holders(redis)} == {unread}
    assert redis.exists("clock:rates_checked")


def test_a_job_over_the_limit_is_blocked_and_gets_the_place_that_becomes_free(bench: Build, redis: Redis) -> None:
    jids = [SyncContactsJob.perform_async(number) for number in range(5)]
    UnlimitedJob.perform_async()
    worker = bench()

    found = worker.fetcher.claims.claim(10)

    assert [job.number for job in found] == [1, 2, 3]
    assert holders(redis) == [
        ("crm", jid, f"host:1:abc#{n}") for n, jid in sorted(enumerate(jids[:2], 1), key=lambda p: p[1])
    ]
    assert blocked(redis) == [("crm", jid) for jid in jids[2:]]
    worker.fetcher.claims.finish(found[0])
    assert claim(worker) == [jids[2]]
    assert {jid for _, jid, _ in holders(redis)} == {jids[1], jids[2]}


def test_places_that_become_free_at_once_go_to_blocked_jobs_in_their_order(bench: Build, redis: Redis) -> None:
    jids = [SyncContactsJob.perform_async(number) for number in range(6)]
    worker = bench()
    found = worker.fetcher.claims.claim(10)
    late = SyncContactsJob.perform_async(99)
    for job in found:
        worker.fetcher.claims.finish(job)

    assert claim(worker, 2) == jids[2:4]
    assert blocked(redis) == [("crm", jid) for jid in jids[4:]]
    assert claim(worker, 2) == []
    assert blocked(redis)[-1] == ("crm", late)


def test_a_worker_that_claims_nothing_hands_a_place_over(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    SyncOneJob.perform_async(1)
    other = SyncOneJob.set(queue="low").perform_async(2)
    worker = bench()
    [job] = worker.fetcher.claims.claim(10)

    worker.fetcher.claims.finish(job)
    worker.fetcher.acknowledge()

    assert holders(redis) == [("one", other, "queue")]
    move_freed(redis, fake_clock)
    assert [row["jid"] for row in waiting(redis, "low")] == [other]
    assert holders(redis) == [("one", other, "queue")]
    assert claim(worker) == [other]


@pytest.mark.parametrize(
    "end", ["done", "result", "retried", "dead", "put back", "recovered", "parked", "dropped"]
)
def test_every_end_of_a_run_hands_the_place_over(
    bench: Build, redis: Redis, fake_clock: FakeClock, end: str
) -> None:
    options: dict[str, Any] = {"result_ttl": 60} if end == "result" else {}
    if end in ("dead", "dropped"):
        options["retry"] = end == "dead" and 0
    first = SyncOneJob.set(**options).perform_async(1)
    second = SyncOneJob.perform_async(2)
    worker = bench()
    [job] = worker.fetcher.claims.claim(10)
    assert blocked(redis) == [("one", second)]
    around[:] = [boom] if end in ("retried", "dead", "dropped") else []

    if end == "put back":
        worker.fetcher.claims.give_back([job])
    elif end == "recovered":
        fake_clock.advance(timedelta(minutes=5))
        recover(redis, clock=fake_clock)
    elif end == "parked":
        worker.moves.park(job, "Other")
    else:
        worker.processor.process(job)
        worker.fetcher.acknowledge()

    assert holders(redis) == [("one", second, "queue")]
    assert blocked(redis) == []
    move_freed(redis, fake_clock)
    assert waiting(redis)[0]["jid"] == second
    around.clear()
    assert claim(bench("host:2:def"))[:1] == [second]
    assert [(name, jid) for name, jid, _ in holders(redis)] == [("one", second)]
    assert blocked(redis) == ([("one", first)] if end in ("put back", "recovered") else [])


def test_a_worker_that_lost_the_job_frees_no_place_and_the_overlap_is_counted(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    jid = SyncOneJob.perform_async(1)
    slow = bench()
    claimed = slow.take()
    fake_clock.advance(timedelta(minutes=5))
    recover(redis, clock=fake_clock)
    assert claim(bench("host:2:def")) == [jid]

    slow.processor.process(claimed)
    slow.fetcher.acknowledge()

    assert holders(redis) == [("one", jid, "host:2:def#1")]
    assert redis.get("clock:limit_overlaps") == b"1"


def test_a_job_with_two_limits_needs_both_and_takes_none_before(bench: Build, redis: Redis) -> None:
    first, same, other = (SyncAccountJob.perform_async(account) for account in (7, 7, 8))
    worker = bench()

    found = worker.fetcher.claims.claim(10)

    assert [json.loads(job.payload)["jid"] for job in found] == [first, other]
    assert blocked(redis) == [("crm:7", same)]
    worker.fetcher.claims.finish(found[1])
    assert claim(worker) == []
    worker.fetcher.claims.finish(found[0])
    assert claim(worker) == [same]
    assert [name for name, _, _ in holders(redis)] == ["crm", "crm:7"]


def test_a_blocked_job_that_another_limit_holds_back_lets_the_next_one_pass(bench: Build, redis: Redis) -> None:
    running = [SyncAccountJob.perform_async(7), SyncContactsJob.perform_async(1)]
    worker = bench()
    found = worker.fetcher.claims.claim(10)
    same, other = SyncAccountJob.perform_async(7), SyncAccountJob.perform_async(8)
    assert claim(worker) == []
    assert blocked(redis) == [("crm", same), ("crm", other)]
    assert len(running) == len(found)

    worker.fetcher.claims.finish(found[1])

    assert claim(worker) == [other]
    assert blocked(redis) == [("crm:7", same)]


def test_a_retry_waits_without_a_place(bench: Build, redis: Redis) -> None:
    around[:] = [boom]
    SyncOneJob.perform_async(1)
    bench().run_all()

    assert redis.zcard("retry") == 1
    assert holders(redis) == []


def test_limits_of_a_push_override_those_of_the_class(redis: Redis) -> None:
    SyncContactsJob.set(limits=Limit("other", 5)).perform_async(1)
    SyncContactsJob.set(limits=None).perform_async(2)
    SyncContactsJob.perform_in(60, 3)
    SyncContactsJob.perform_bulk([[4]])
    SyncAccountJob.perform_bulk([[5], [6]])

    assert [row.get("limits") for row in waiting(redis)] == [
        [{"name": "other", "max": 5}],
        None,
        [{"name": "crm", "max": 2}],
        [{"name": "crm", "max": 2}, {"name": "crm:5", "max": 1}],
        [{"name": "crm", "max": 2}, {"name": "crm:6", "max": 1}],
    ]
    assert delayed(redis)[0][0]["limits"] == [{"name": "crm", "max": 2}]


@pytest.mark.parametrize("key", ["clock:limit_holders", "clock:blocked", "clock:limits", "clock:limit_turn"])
def test_a_key_of_a_wrong_type_loses_no_job(bench: Build, redis: Redis, key: str) -> None:
    redis.set(key, "x") if key != "clock:limit_turn" else redis.lpush(key, "x")
    jids = [SyncOneJob.perform_async(number) for number in range(3)]

    bench().run_all()

    in_queue = [jid for _, jid in blocked(redis)] if key not in ("clock:blocked",) else []
    assert sorted([*(jid for jid, _ in jobs.ran), *in_queue]) == sorted(jids)


@pytest.mark.parametrize(
    "limits",
    [
        7,
        [7],
        {"name": "x"},
        [{"name": 1, "max": 1}],
        [{"name": "a\nb", "max": 1}],
        [{"name": "x", "max": "1"}],
        [{"name": "x", "max": 1, "weight": "1"}],
        [{"name": "x", "max": 1, "count": None}],
        [{"name": "x", "max": 9, "count": 9, "per": 1000, "weight": [], "window": "x"}],
        [{}],
        [[]],
        None,
    ],
)
def test_limits_that_another_program_wrote_stop_no_job(bench: Build, redis: Redis, limits: Any) -> None:
    for number in range(2):
        row = {
            "class": "SyncContactsJob",
            "args": [number],
            "jid": f"j{number}",
            "limits": limits,
            "rates": limits,
        }
        redis.lpush("queue:default", json.dumps(row))

    bench().run_all()

    assert len(jobs.ran) == 2


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda: Limit("", 1), "Limit: the name is ''"),
        (lambda: Limit("a\nb", 1), "without control characters"),
        (lambda: Limit("crm", 0), "Limit: maximum is 0; it must be a whole number"),
        (lambda: type("CallJob", (Job,), {"limits": Limit}), "CallJob: limits is <class .*Limit"),
        (lambda: type("CallJob", (Job,), {"rates": lambda _: None}), "CallJob: rates is <function"),
        (lambda: SyncContactsJob.set(limits=3), "limits is 3; it must be Limit"),  # type: ignore[arg-type]
        (lambda: SyncContactsJob.set(limits=[Limit("a", 1), Limit("a", 2)]), "with different names"),
        (
            lambda: SyncContactsJob.set(limits=Limit(lambda: "x", 1)).perform_async(1),
            "the function failed with TypeError",
        ),
        (
            lambda: SyncContactsJob.set(limits=Limit(lambda account: account, 1)).perform_async(1),
            "the name is 1; it must",
        ),
        (
            lambda: SyncContactsJob.set(limits=[Limit(lambda _: "a", 1), Limit("a", 2)]).perform_async(1),
            "limits has the name 'a' twice",
        ),
    ],
)
def test_a_wrong_limit_is_named(redis: Redis, rule: Callable[[], object], words: str) -> None:
    with pytest.raises(JobError, match=words):
        rule()


def test_the_name_of_an_event_does_not_depend_on_the_process() -> None:
    assert "0x" not in str(SyncContactsJob.set(limits=SyncAccountJob.limits))


def test_a_job_with_limits_that_is_no_json_frees_its_place_when_it_is_buried(bench: Build, redis: Redis) -> None:
    redis.lpush("queue:default", '{"limits":[{"name":"one","max":1}],"jid":"x","class":"SyncOneJob","args":[')
    worker = bench()

    worker.run_all()

    assert redis.zcard("dead") == 1
    assert holders(redis) == []


class SharedJob(SyncContactsJob):
    limits: ClassVar[Any] = Limit("shared", 4)


class SharedAndOwnJob(SyncContactsJob):
    limits: ClassVar[Any] = [Limit("shared", 4), Limit("own", 9)]


def test_a_claim_of_many_jobs_takes_as_many_as_there_are_places(bench: Build, redis: Redis) -> None:
    first, *others = [SharedJob.perform_async(number) for number in range(9)]
    worker = bench()

    assert claim(worker, 1) == [first]
    assert claim(worker, 9) == others[:3]

    assert len(holders(redis)) == 4
    assert [jid for _, jid in blocked(redis)] == others[3:]


def test_jobs_with_other_limits_in_between_count_too(bench: Build, redis: Redis) -> None:
    order = [SharedJob, SharedJob, SharedAndOwnJob, SharedJob, SharedJob, SharedAndOwnJob, SharedJob]
    jids = [job.perform_async(number) for number, job in enumerate(order)]

    assert claim(bench()) == jids[:4]

    assert [name for name, _, _ in holders(redis)] == ["own", *["shared"] * 4]
    assert [jid for _, jid in blocked(redis)] == jids[4:]


def test_a_late_acknowledgement_frees_no_place_of_the_workers_other_jobs(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    SharedJob.perform_async(1)
    slow = bench()
    lost = slow.take()
    fake_clock.advance(timedelta(minutes=5))
    recover(redis, clock=fake_clock)
    other = bench("host:2:def")
    assert len(claim(other)) == 1
    SharedJob.perform_async(2)
    assert len(claim(slow)) == 1

    slow.fetcher.claims.finish(lost)
    slow.fetcher.acknowledge()

    assert sorted(place for _, _, place in holders(redis)) == ["host:1:abc#2", "host:2:def#1"]
    assert limit_holders.counts(redis, ["shared"]) == [(2, 0)]


def test_the_place_of_a_limit_with_a_bracket_in_its_name_becomes_free(bench: Build, redis: Redis) -> None:
    limit = Limit('a]b"}]', 1)
    first, second = (SyncContactsJob.set(limits=limit).perform_async(number) for number in range(2))
    worker = bench()

    worker.run_all()

    assert [jid for jid, _ in jobs.ran] == [first, second]
    assert redis.zcard("clock:limit_holders") == redis.zcard("clock:blocked") == 0


@pytest.mark.parametrize("counted", [1, 7])
def test_places_that_were_changed_from_outside_are_counted_again(bench: Build, redis: Redis, counted: int) -> None:
    for number in range(6):
        SharedJob.perform_async(number)
    assert len(claim(bench())) == 4
    redis.delete("clock:limit_holders")
    redis.zadd(
        "clock:limit_holders", {f"shared\vhost:1:abc\v{counted}": 0, "shared\vgone:1:x\v3": 0, "shared\nold#4": 0}
    )
    redis.hdel("clock:in_progress:host:1:abc", "1")

    assert limit_holders.heal(redis, now=datetime(2286, 1, 1, tzinfo=UTC))

    assert len(holders(redis)) == 4
    assert limit_holders.counts(redis, ["shared"]) == [(4, 1)]
    assert violations(redis) == []


def test_a_payload_of_another_program_frees_its_place_though_its_limits_are_written_with_spaces(
    bench: Build, redis: Redis
) -> None:
    row = {"jid": "x", "class": "SyncContactsJob", "args": [1], "limits": [{"name": "one", "max": 1}]}
    redis.lpush("queue:default", json.dumps(row, separators=(" , ", " : ")))

    bench().run_all()

    assert [jid for jid, _ in jobs.ran] == ["x"]
    assert redis.zcard("clock:limit_holders") == 0


def test_a_job_with_rates_of_another_program_gets_its_slot_also_behind_jobs_with_the_same_limits(
    bench: Build, redis: Redis
) -> None:
    limits = [{"name": "shared", "max": 9}]
    rates = [{"name": "mail", "count": 1, "per": 60_000}]
    rows = [{"limits": limits, "class": "SharedJob", "args": [number], "jid": f"j{number}"} for number in range(5)]
    for row in [*rows[:3], *({**row, "rates": rates} for row in rows[3:])]:
        redis.lpush("queue:default", json.dumps(row, separators=(",", ":")))

    assert claim(bench()) == ["j0", "j1", "j2", "j3"]

    assert redis.zrange("clock:rate_slots", 0, -1) == [b"j4"]


def test_only_the_jobs_with_limits_among_those_of_one_claim_are_acknowledged_with_them(
    bench: Build, redis: Redis
) -> None:
    SharedJob.perform_async(1)
    SyncContactsJob.set(limits=None).perform_async(2)
    SharedAndOwnJob.perform_bulk([[3], [4]])

    found = bench().fetcher.claims.claim(10)

    shared, both = (b'{"limits":[{"name":"shared","max":4}', b',{"name":"own","max":9}]')
    assert [job.limits for job in found] == [shared + b"]", None, shared + both, shared + both]
