"""Unique jobs: who gets the lock, when it is free again, and what is left of it after a crash."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import ANY

import pytest
from redis import Redis

from clock import Job, NotUnique, Unique
from clock.api import JobRef, Queue
from clock.clocks import SystemClock, to_ms
from clock.errors import JobError
from clock.inspection.doctor.deep import free_lost_locks, locks_finding
from clock.inspection.doctor.finding import Grade
from clock.inspection.jobs.job_sets import WaitingSet
from clock.job.push.client import using_clock
from clock.store.jobs.flow import unique_locks
from clock.store.jobs.flow.unique_locks import Lock, LockedPush, held, push_kept_out
from clock.testing import FakeClock, fake, inline, world
from clock.worker.maintenance.recovery import recover
from tests.job.redis_rows import delayed, waiting
from tests.worker import jobs
from tests.worker.conftest import Bench

Build = Callable[..., Bench]
around: list[Callable[[], object]] = []


class RebuildIndexJob(Job):
    unique: ClassVar[bool | Unique | None] = True

    def perform(self, account: int, mode: str = "fast") -> None:
        jobs.note(self.jid, (account, mode))
        for call in around:
            call()


class ByAccountJob(RebuildIndexJob):
    unique = Unique(by=lambda account, *_: account)


class ByNameJob(RebuildIndexJob):
    unique = Unique(by="mode")


class UntilStartJob(RebuildIndexJob):
    unique = Unique(until="start")


class RaiseOnConflictJob(RebuildIndexJob):
    unique = Unique(on_conflict="raise")
    retry = False


class DebounceJob(RebuildIndexJob):
    unique = Unique(by=["account"], on_conflict="replace")


class ThrottleJob(RebuildIndexJob):
    unique = Unique(window=timedelta(minutes=10))


@pytest.fixture(autouse=True)
def _fresh(fake_clock: FakeClock) -> Any:
    around.clear()
    with using_clock(fake_clock):
        yield


def locks(redis: Redis) -> list[str]:
    return [lock.jid for lock in held(redis)]


def once(call: Callable[[], object]) -> None:
    around.clear()
    call()


def push_again(job: type[RebuildIndexJob], found: list[str]) -> None:
    found.append(job.perform_async(7))


def boom() -> None:
    raise RuntimeError("boom")


def test_a_second_push_returns_the_jid_of_the_job_that_waits(bench: Build, redis: Redis) -> None:
    first = RebuildIndexJob.perform_async(7)

    assert RebuildIndexJob.perform_async(7, "fast") == first  # the default counts as given
    assert RebuildIndexJob.perform_in(60, 7) == first
    assert RebuildIndexJob.set(queue="low").perform_async(7) == first
    assert RebuildIndexJob.perform_async(8) != first

    assert len(waiting(redis)) == 2
    assert delayed(redis) == []
    bench().run_all()
    assert locks(redis) == []
    assert RebuildIndexJob.perform_async(7) != first


def test_by_chooses_the_arguments_that_count(redis: Redis) -> None:
    assert ByAccountJob.perform_async(7) == ByAccountJob.perform_async(7, "slow")
    assert ByNameJob.perform_async(7, "slow") == ByNameJob.perform_async(8, "slow")
    assert ByNameJob.set(unique=False).perform_async(7, "slow") != ByNameJob.perform_async(8, "slow")
    assert len(waiting(redis)) == 3


def test_a_running_job_keeps_its_lock_and_one_until_start_does_not(bench: Build, redis: Redis) -> None:
    for job in (RebuildIndexJob, UntilStartJob):
        first = job.perform_async(7)
        found: list[str] = []
        around[:] = [partial(once, partial(push_again, job, found))]
        bench().run_all()
        assert (found[0] == first) == (job is RebuildIndexJob)
    assert locks(redis) == []


def test_a_retry_keeps_the_lock_and_the_last_failure_frees_it(bench: Build, redis: Redis) -> None:
    around[:] = [boom]
    first = RebuildIndexJob.set(retry=1).perform_async(7)
    bench().run_all()
    assert RebuildIndexJob.perform_async(7) == first
    [member] = list_of(redis.zrange("retry", 0, -1))
    redis.zrem("retry", member)
    redis.lpush("queue:default", member)

    bench().run_all()

    assert redis.zcard("dead") == 1
    assert locks(redis) == []


def test_raise_names_the_holder(redis: Redis) -> None:
    first = RaiseOnConflictJob.perform_async(7)

    with pytest.raises(
        NotUnique, match=f"RaiseOnConflictJob: a job with the same key waits or runs: {first}"
    ) as caught:
        RaiseOnConflictJob.perform_async(7)
    assert caught.value.holder == first
    assert len(waiting(redis)) == 1


def test_replace_runs_the_newest_push_only(bench: Build, redis: Redis) -> None:
    old = [DebounceJob.perform_async(7, mode) for mode in ("a", "b")]
    newest = DebounceJob.perform_async(7, "c")

    bench().run_all()

    assert jobs.ran == [(newest, (7, "c"))]
    assert newest not in old
    assert locks(redis) == []
    assert redis.zcard("clock:replaced") == 0


def test_replace_leaves_a_running_job_alone(bench: Build, redis: Redis) -> None:
    first = DebounceJob.perform_async(7, "a")
    around[:] = [partial(once, partial(DebounceJob.perform_async, 7, "b"))]

    bench().run_all()

    assert [thing for _, thing in jobs.ran] == [(7, "a"), (7, "b")]
    assert jobs.ran[0][0] == first
    assert locks(redis) == []
    assert redis.zcard("clock:replaced") == 0


def test_a_window_outlives_the_job_and_then_ends(bench: Build, redis: Redis, fake_clock: FakeClock) -> None:
    first = ThrottleJob.perform_async(7)
    bench().run_all()
    fake_clock.advance(timedelta(minutes=9, seconds=59))
    assert ThrottleJob.perform_async(7) == first

    fake_clock.advance(timedelta(seconds=2))

    assert ThrottleJob.perform_async(7) != first
    fake_clock.advance(timedelta(minutes=11))
    RebuildIndexJob.perform_async(1)
    assert len(locks(redis)) == 1  # the lock whose window is over was removed
    assert redis.zcard("clock:unique_windows") == 0


def test_a_window_counts_by_the_time_of_redis(redis: Redis) -> None:
    with using_clock(SystemClock()):
        first = ThrottleJob.perform_async(7)
    with using_clock(SystemClock(timedelta(hours=1))):
        second = ThrottleJob.perform_async(7)

    assert second == first, "the machine of the second push is an hour ahead"


def test_a_jid_with_a_bar_holds_its_lock(bench: Build, redis: Redis) -> None:
    first = RebuildIndexJob.set(jid="a|1").perform_async(7)
    RebuildIndexJob.set(jid="a").perform_async(7)
    assert (first, locks(redis)) == ("a|1", ["a|1"])

    bench().run_all()

    assert locks(redis) == []


def test_bulk_pushes_each_key_once_and_returns_the_holders(redis: Redis) -> None:
    first = RebuildIndexJob.perform_async(2)

    jids = RebuildIndexJob.perform_bulk([[1], [2], [1], [3]])

    assert jids[1] == first
    assert jids[2] == jids[0]
    assert [row["args"][0] for row in waiting(redis)] == [2, 1, 3]
    assert len(set(locks(redis))) == 3


def test_a_dead_workers_job_keeps_its_lock(bench: Build, redis: Redis, fake_clock: FakeClock) -> None:
    first = RebuildIndexJob.perform_async(7)
    bench().take()
    fake_clock.advance(timedelta(minutes=5))
    recover(redis, clock=fake_clock)

    assert RebuildIndexJob.perform_async(7) == first
    bench("host:2:def").run_all()
    assert locks(redis) == []


def test_a_worker_that_lost_the_job_frees_nothing(bench: Build, redis: Redis, fake_clock: FakeClock) -> None:
    first = RebuildIndexJob.perform_async(7)
    slow = bench()
    claimed = slow.take()
    fake_clock.advance(timedelta(minutes=5))
    recover(redis, clock=fake_clock)

    slow.processor.process(claimed)
    slow.fetcher.acknowledge()

    assert locks(redis) == [first]


def test_a_job_that_kills_workers_frees_its_lock(bench: Build, redis: Redis, fake_clock: FakeClock) -> None:
    RebuildIndexJob.perform_async(7)
    for number in range(3):
        worker = bench(f"host:{number}:abc")
        worker.moves.mark(worker.take())
        fake_clock.advance(timedelta(minutes=5))
        recover(redis, clock=fake_clock)

    assert redis.zcard("dead") == 1
    assert locks(redis) == []


AWAY: dict[str, Callable[[Redis, str], object]] = {
    "cancel": lambda redis, jid: JobRef(jid).cancel(),
    "delete": lambda redis, jid: Queue("default").delete(jid=jid),
    "clear the queue": lambda redis, jid: Queue("default").clear(),
    "clear the schedule": lambda redis, jid: WaitingSet(redis, "schedule").clear(),
}


def test_an_expired_job_frees_its_lock(bench: Build, redis: Redis, fake_clock: FakeClock) -> None:
    RebuildIndexJob.set(expires_in=60).perform_async(7)
    fake_clock.advance(timedelta(minutes=2))

    bench().run_all()

    assert jobs.ran == []
    assert locks(redis) == []


@pytest.mark.parametrize("away", AWAY)
def test_a_deleted_job_frees_its_lock(redis: Redis, away: str) -> None:
    jid = RebuildIndexJob.perform_in(60 if "schedule" in away else 0, 7)
    assert locks(redis) == [jid]

    AWAY[away](redis, jid)

    assert locks(redis) == []
    assert RebuildIndexJob.perform_async(7) != jid


def test_a_lock_whose_job_another_program_removed_is_healed_after_a_minute(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    lost = RebuildIndexJob.perform_async(7)
    redis.delete("queue:default")
    fake_clock.advance(timedelta(seconds=59))
    assert RebuildIndexJob.perform_async(7) == lost

    fake_clock.advance(timedelta(seconds=2))

    fresh = RebuildIndexJob.perform_async(7)
    assert fresh != lost
    assert locks(redis) == [fresh]
    assert redis.get("clock:locks_healed") == b"1"
    assert f"its job {lost} was not found in Redis" in caplog.text


@pytest.mark.parametrize("where", ["queue", "schedule", "retry", "in progress", "parked"])
def test_a_lock_whose_job_lives_is_never_healed(
    bench: Build, redis: Redis, fake_clock: FakeClock, where: str
) -> None:
    first = RebuildIndexJob.perform_in(3600, 7) if where == "schedule" else RebuildIndexJob.perform_async(7)
    if where == "retry":
        around[:] = [boom]
        bench().run_all()
    elif where == "in progress":
        bench().take()
    elif where == "parked":
        worker = bench()
        worker.moves.park(worker.take(), "Other")
    fake_clock.advance(timedelta(seconds=61))
    if where == "in progress":
        redis.zadd("clock:workers", {"host:1:abc": 9e15})

    assert RebuildIndexJob.perform_async(7) == first
    assert redis.get("clock:locks_healed") is None


def test_a_firing_obeys_the_lock_and_its_history_names_the_holder(tmp_path: Path) -> None:
    file = tmp_path / "clock.py"
    file.write_text(
        "from clock import every\nfrom clock.job.registry import lookup\n"
        "every().hour.at(':00').named('rebuild').do(lookup('RebuildIndexJob'), 7)\n"
    )

    with world("2026-03-02 09:30", file=file, workers=0) as w:
        w.run(hours=3)
        [job] = w.waiting("default")
        entries: Any = w.redis.xrange("clock:history:rebuild")
        records = [json.loads(fields[b"entry"]) for _, fields in entries]
        w.start_worker()
        w.run(hours=1)

        assert [list(record.get("kept_out", {}).values()) for record in records] == [
            [],
            [job["jid"]],
            [job["jid"]],
        ]
        assert len(w.ran(RebuildIndexJob)) == 2
        assert list(held(w.redis)) == []


def test_a_lock_whose_job_another_program_removed_keeps_no_later_firing_out(tmp_path: Path) -> None:
    file = tmp_path / "clock.py"
    file.write_text(
        "from clock import every\nfrom clock.job.registry import lookup\n"
        "every().hour.at(':00').named('rebuild').do(lookup('RebuildIndexJob'), 7)\n"
    )

    with world("2026-03-02 09:30", file=file, workers=0) as w:
        w.run(hours=1)
        w.redis.delete("queue:default")
        w.run(hours=1)
        [job] = w.waiting("default")
        w.run(hours=1)

        assert job["clock"] == {"event": "rebuild", "due": ANY, "previous": ANY}
        assert w.waiting("default") == [job], "its lock keeps the next one out"
        assert [lock.jid for lock in held(w.redis)] == [job["jid"]]
        assert w.redis.get("clock:locks_healed") == b"1"


def kept_out(key: str, *jids: str) -> list[LockedPush]:
    return [LockedPush(Lock(key, jid), "default", f'{{"jid": "{jid}"}}', None) for jid in jids]


def test_a_lock_without_a_job_is_freed_and_counted_once_for_several_firings(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    redis.hset("clock:unique", "feed:1", "gone|0|0")
    firings = kept_out("feed:1", "a", "b", "c")

    pushed = push_kept_out(redis, firings, now_ms=to_ms(fake_clock.now()))

    assert pushed == ["a"]
    assert [push.lock.holder for push in firings] == ["", "a", "a"]
    assert redis.llen("queue:default") == 1
    assert redis.get("clock:locks_healed") == b"1"
    assert caplog.text.count("Freed the lock feed:1") == 1


def test_a_lock_that_could_not_be_freed_is_neither_logged_nor_counted(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    redis.hset("clock:unique", "feed:1", b"\xff|0|0")

    assert push_kept_out(redis, kept_out("feed:1", "a"), now_ms=to_ms(fake_clock.now())) == []

    assert redis.get("clock:locks_healed") is None
    assert "Freed" not in caplog.text


def test_locks_without_a_job_are_searched_together(
    redis: Redis, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        redis.hset("clock:unique", f"feed:{number}", f"gone{number}|0|0")
    searches, search = list[object](), unique_locks.gone

    def counted(*args: Any, **now: Any) -> set[str]:
        searches.append(args)
        return search(*args, **now)

    monkeypatch.setattr(unique_locks, "gone", counted)
    pushes = [push for number in range(20) for push in kept_out(f"feed:{number}", f"j{number}")]

    unique_locks.push(redis, pushes, now_ms=to_ms(fake_clock.now()))

    assert len(searches) == 1
    assert redis.llen("queue:default") == 20
    assert redis.get("clock:locks_healed") == b"20"


def test_a_job_is_pushed_although_the_counter_of_freed_locks_holds_no_number(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    redis.hset("clock:unique", "feed:1", "gone|0|0")
    redis.set("clock:locks_healed", "junk")

    assert push_kept_out(redis, kept_out("feed:1", "a"), now_ms=to_ms(fake_clock.now())) == ["a"]

    assert "The counter clock:locks_healed could not be increased" in caplog.text


def test_a_jid_with_a_line_break_holds_its_lock_and_loses_it_if_its_job_is_gone(
    redis: Redis, fake_clock: FakeClock
) -> None:
    redis.hset("clock:unique", "feed:1", "a\nb|1|0")
    assert locks(redis) == ["a\nb"]

    assert push_kept_out(redis, kept_out("feed:1", "c"), now_ms=to_ms(fake_clock.now())) == ["c"]


def test_tests_obey_the_lock() -> None:
    with fake():
        first = RebuildIndexJob.perform_async(7)
        assert RebuildIndexJob.perform_async(7) == first
        DebounceJob.perform_async(7, "a")
        DebounceJob.perform_async(7, "b")
        assert [job["args"] for job in DebounceJob.jobs] == [[7, "b"]]
        assert RebuildIndexJob.drain() == 1
        assert RebuildIndexJob.perform_async(7) != first
    with inline():
        assert RebuildIndexJob.perform_async(7) != RebuildIndexJob.perform_async(7)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda: Unique(until="end"), "until is 'end'; it must be one of 'start', 'done'"),  # type: ignore[arg-type]
        (lambda: Unique(on_conflict="drop"), "on_conflict is 'drop'"),  # type: ignore[arg-type]
        (lambda: Unique(window=0), "window is 0"),
        (lambda: Unique(window="1h"), "window is '1h'; it must be a timedelta or seconds"),  # type: ignore[arg-type]
        (lambda: Unique(window=True), "window is True"),
        (lambda: Unique(window=timedelta(days=10**6)), "0.001 to a year"),
        (lambda: Unique(by=5), "by is 5; it must be a function or names"),  # type: ignore[arg-type]
        (
            lambda: RebuildIndexJob.set(unique=Unique(by=lambda *args: args[5])).perform_async(1),
            "RebuildIndexJob: unique's `by` failed with IndexError",
        ),
        (lambda: type("CallJob", (RebuildIndexJob,), {"unique": Unique}), "CallJob: unique is <class .*Unique"),
        (lambda: RebuildIndexJob.set(unique=3), "unique is 3; it must be True, False"),  # type: ignore[arg-type]
        (lambda: RebuildIndexJob.set(unique=Unique(by="acount")), "did you mean .account."),
        (
            lambda: RebuildIndexJob.set(unique=Unique(by=lambda *_: object())).perform_async(1),
            "JSON does not support",
        ),
    ],
)
def test_a_wrong_rule_is_named(redis: Redis, rule: Callable[[], object], words: str) -> None:
    with pytest.raises(JobError, match=words):
        rule()


def test_the_deep_check_names_a_lock_without_a_job_and_frees_it(redis: Redis, fake_clock: FakeClock) -> None:
    now = fake_clock.now() + timedelta(minutes=2)
    alive, lost = RebuildIndexJob.perform_async(1), RebuildIndexJob.perform_in(60, 2)
    assert locks_finding(redis, now).grade is Grade.GOOD
    redis.delete("schedule")

    finding = locks_finding(redis, now)

    assert lost in finding.found
    assert alive not in finding.found
    assert free_lost_locks(redis, now) == 1
    assert locks(redis) == [alive]


def test_the_name_of_an_event_does_not_depend_on_the_process() -> None:
    assert "0x" not in str(RebuildIndexJob.set(unique=ByAccountJob.unique))


def list_of(members: Any) -> list[bytes]:
    return list(members)


def test_a_unique_push_at_the_front_is_refused(redis: Redis) -> None:
    order = RebuildIndexJob.set(at_front=True)

    with pytest.raises(JobError, match="IndexJob: at_front is not for unique jobs; remove it, or set unique"):
        order.perform_async(7)
    with pytest.raises(JobError, match="at_front is not for unique jobs"):
        order.perform_bulk([[7], [8]])

    assert redis.keys("*") == []


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"x",
        b"j|1",
        b"j|\xc2\xb2|0",
        b"j|1|" + b"9" * 15,
        b"j|" + b"9" * 5_000 + b"|0",
        b"j|-1|0",
        b"\xff|1|",
    ],
)
def test_a_lock_that_no_clock_wrote_hides_no_other(redis: Redis, value: bytes) -> None:
    redis.hset("clock:unique", "odd", value)
    redis.hset("clock:unique", "SomeJob:1", "0a|1795500000000|0")

    assert [lock.key for lock in held(redis)] == ["SomeJob:1"]


@pytest.mark.parametrize("field", [True, "1 hour", {"key": 7, "until": "start"}])
def test_a_job_runs_whose_unique_field_another_program_wrote(bench: Build, redis: Redis, field: object) -> None:
    job = {"class": "RebuildIndexJob", "args": [7], "jid": "theirs", "queue": "default", "unique": field}
    redis.lpush("queue:default", json.dumps(job))

    bench().run_all()

    assert jobs.ran == [("theirs", (7, "fast"))]
    assert redis.keys("clock:in_progress:*") == []
