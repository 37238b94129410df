"""Rates: when jobs over a rate start, in which order, and what holds a rate back."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from redis import Redis

from clock import Job, Limit, Rate, RateLimited
from clock.clocks import to_ms
from clock.errors import JobError
from clock.job.push.client import using_clock
from clock.store.jobs.flow import rates
from clock.testing import FakeClock, fake, inline, world
from clock.testing.world.world import World
from clock.worker.maintenance.duties import LimitChecks
from tests.job.redis_rows import delayed, waiting
from tests.worker import jobs
from tests.worker.conftest import Bench

Build = Callable[..., Bench]
START = "2026-03-02 09:30"


class PostLetterJob(Job):
    rates: ClassVar[Any] = [Rate("mailgun", 3, per=60)]

    def perform(self, number: int = 0) -> None:
        jobs.note(self.jid, number)


class WindowLetterJob(PostLetterJob):
    rates: ClassVar[Any] = Rate("window", 3, per=timedelta(minutes=1), window=True)


class HeavyLetterJob(PostLetterJob):
    rates: ClassVar[Any] = Rate("mailgun", 3, per=60, weight=lambda number: number)


class RefusedLetterJob(PostLetterJob):
    refusals: ClassVar[list[RateLimited]] = []

    def perform(self, number: int = 0) -> None:
        if self.refusals:
            raise self.refusals.pop()
        jobs.note(self.jid, number)


class BothLetterJob(PostLetterJob):
    limits: ClassVar[Any] = Limit("mail", 1)


@pytest.fixture
def mail() -> Iterator[World]:
    with world(START, workers=1) as found:
        yield found


def seconds(found: World, job: type[PostLetterJob]) -> list[float]:
    """When the runs began, in seconds after the start."""
    first = datetime.fromisoformat(f"{START}:00+00:00")
    return [round((run.began - first).total_seconds(), 2) for run in found.ran(job)]


def after(**span: int) -> int:
    """A time after the start, in ms."""
    return to_ms(datetime.fromisoformat(f"{START}:00+00:00") + timedelta(**span))


def test_jobs_over_the_rate_start_one_after_the_other_in_order(mail: World) -> None:
    for number in range(8):
        mail.enqueue(PostLetterJob, number)

    mail.run(minutes=3)

    assert seconds(mail, PostLetterJob) == [0, 0, 0, 20, 40, 60, 80, 100]
    assert [run.args[0] for run in mail.ran(PostLetterJob)] == list(range(8))
    assert mail.redis.zcard("clock:rate_slots") == 0


def test_a_new_job_does_not_overtake_those_that_wait(mail: World) -> None:
    for number in range(5):
        mail.enqueue(PostLetterJob, number)
    mail.run(seconds=19)

    mail.enqueue(PostLetterJob, 5)
    mail.run(minutes=2)

    assert [run.args[0] for run in mail.ran(PostLetterJob)] == list(range(6))
    assert seconds(mail, PostLetterJob)[3:] == [20, 40, 60]


def test_a_window_never_has_more_starts(mail: World) -> None:
    for number in range(12):
        mail.enqueue(WindowLetterJob, number)

    mail.run(minutes=6)

    began = seconds(mail, WindowLetterJob)
    assert began[:4] == [0, 0, 0, 60]
    assert len(began) == 12
    assert all(later - earlier >= 60 for earlier, later in zip(began, began[3:], strict=False))


def test_a_weight_counts_for_several_starts(mail: World) -> None:
    for weight in (2, 1, 3, 1):
        mail.enqueue(HeavyLetterJob, weight)

    mail.run(minutes=3)

    assert seconds(mail, HeavyLetterJob) == [0, 0, 60, 80]


def test_jobs_that_missed_their_slots_start_no_faster(mail: World) -> None:
    for number in range(20):
        mail.enqueue(WindowLetterJob, number)
    mail.run(seconds=1)
    mail.kill_worker()
    mail.run(minutes=4)
    mail.start_worker()

    mail.run(minutes=30)

    began = seconds(mail, WindowLetterJob)
    assert len(began) == 20
    assert all(later - earlier >= 60 for earlier, later in zip(began, began[3:], strict=False))
    assert began[-1] < 15 * 60


def test_rate_limited_holds_back_the_whole_name_and_uses_no_attempt(mail: World) -> None:
    RefusedLetterJob.refusals[:] = [RateLimited(retry_after=30)]
    mail.enqueue(RefusedLetterJob, 1)
    mail.run(seconds=1)
    mail.enqueue(PostLetterJob, 2)

    mail.run(minutes=1)

    assert sorted(str(run.args[0]) for run in mail.runs) == ["1", "1", "2"]
    assert seconds(mail, RefusedLetterJob)[1] >= 30
    assert seconds(mail, PostLetterJob)[0] >= 30
    assert mail.redis.get("stat:failed") is None
    assert mail.redis.zcard("retry") == 0


def test_rate_limited_without_a_rate_delays_the_job_only(mail: World) -> None:
    RefusedLetterJob.refusals[:] = [RateLimited(timedelta(seconds=5))]
    mail.at(f"{START}:10", RefusedLetterJob.set(rates=None).perform_async, 1)
    mail.at(f"{START}:12", PostLetterJob.perform_async, 2)

    mail.run(minutes=1)

    assert [run.args[0] for run in mail.runs] == [1, 2, 1]


def test_a_rate_that_holds_a_job_back_takes_no_place_of_its_limit(mail: World) -> None:
    for number in range(4):
        mail.enqueue(BothLetterJob, number)
    mail.run(seconds=1)
    assert mail.redis.zcard("clock:limit_holders") == 0
    mail.at(f"{START}:10", PostLetterJob.set(rates=None, limits=Limit("mail", 1)).perform_async, 9)

    mail.run(minutes=1)

    assert [run.args[0] for run in mail.runs] == [0, 1, 2, 9, 3]


def test_the_rate_counts_by_the_time_of_redis(bench: Build, redis: Redis, fake_clock: FakeClock) -> None:
    with using_clock(fake_clock):
        jids = [PostLetterJob.perform_async(number) for number in range(5)]
    worker = bench()

    claimed = worker.fetcher.claims.claim(10)

    assert [json.loads(job.payload)["jid"] for job in claimed] == jids[:3]
    now: Any = redis.time()
    scores = [score - now[0] - now[1] / 1e6 for _, score in delayed(redis)]
    assert [row["jid"] for row, _ in delayed(redis)] == jids[3:]
    assert all(0 < score <= 40 for score in scores)
    assert scores[1] - scores[0] == pytest.approx(20, abs=0.01)


def test_tests_see_the_rules_and_run_all_jobs() -> None:
    with fake():
        for number in range(5):
            PostLetterJob.perform_async(number)
        assert PostLetterJob.jobs[0]["rates"] == [{"name": "mailgun", "count": 3, "per": 60000}]
        assert PostLetterJob.drain() == 5
    with inline():
        PostLetterJob.perform_async(6)


def test_every_job_with_a_rate_has_the_field_that_the_claim_looks_for(redis: Redis) -> None:
    PostLetterJob.perform_async(1)
    PostLetterJob.perform_bulk([[2]])

    assert [row["limits"] for row in waiting(redis)] == [[], []]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda: Rate("a", 0, per=60), "Rate: count is 0"),
        (lambda: Rate("a", 1, per=0), "Rate: per is 0; it must be a timedelta or seconds"),
        (lambda: Rate("a", 1, per=60, weight=2), "Rate: weight is 2; it must be a whole number, 1 to 1"),
        (
            lambda: Rate("a", 5000, per=60, weight=101, window=True),
            "Rate: weight is 101; it must be a whole number, 1 to 100 with window=True",
        ),
        (lambda: Rate("a", 1, per=60, window=1), "Rate: window is 1"),  # type: ignore[arg-type]
        (lambda: HeavyLetterJob.perform_async(4), "HeavyLetterJob: Rate: weight is 4"),
        (lambda: PostLetterJob.set(rates="mailgun"), "rates is 'mailgun'; it must be Rate"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_rate_is_named(redis: Redis, rule: Callable[[], object], words: str) -> None:
    with pytest.raises(JobError, match=words):
        rule()


@pytest.mark.parametrize("pause", [-1, None, "soon", float("nan")])
def test_a_wrong_pause_is_named(pause: Any) -> None:
    with pytest.raises(ValueError, match=f"retry_after is {pause!r}; it must be 0 to"):
        RateLimited(pause)
    with pytest.raises(ValueError, match="name is 5; it must be the name of a rate"):
        RateLimited(1, name=5)  # type: ignore[arg-type]


def test_a_rate_is_removed_once_it_allows_as_many_starts_as_a_new_one(mail: World) -> None:
    for number in range(8):
        mail.enqueue(PostLetterJob, number)
        mail.enqueue(WindowLetterJob, number)
    mail.run(minutes=3)

    assert rates.forget(mail.redis, within=0, now_ms=after(minutes=1)) == (rates.START, 0)
    assert rates.forget(mail.redis, within=0, now_ms=after(minutes=6)) == (rates.START, 2)
    assert mail.redis.exists("clock:rates", "clock:rate_starts", "clock:rate_slots") == 0


def test_a_rate_is_kept_while_a_start_counts_in_its_window(mail: World) -> None:
    mail.enqueue(WindowLetterJob, 1)
    mail.run(seconds=30)
    began = to_ms(mail.ran(WindowLetterJob)[0].began)

    assert rates.forget(mail.redis, within=0, now_ms=began + 59_000) == (rates.START, 0)
    assert mail.redis.zcard("clock:rate_starts") == 1
    assert rates.forget(mail.redis, within=0, now_ms=began + 61_000) == (rates.START, 1)
    assert mail.redis.zcard("clock:rate_starts") == 0


def test_a_rate_that_was_held_back_is_kept_until_that_is_over(mail: World) -> None:
    RefusedLetterJob.refusals[:] = [RateLimited(retry_after=3600)]
    mail.enqueue(RefusedLetterJob, 1)
    mail.run(minutes=1)

    assert rates.forget(mail.redis, within=0, now_ms=after(minutes=59)) == (rates.START, 0)
    assert rates.forget(mail.redis, within=0, now_ms=after(minutes=62)) == (rates.START, 1)


def test_the_slot_of_a_deleted_job_is_removed_after_a_day(mail: World) -> None:
    for number in range(4):
        mail.enqueue(PostLetterJob, number)
    mail.run(seconds=1)
    mail.redis.delete("schedule")

    rates.forget(mail.redis, within=0, now_ms=after(hours=23))
    assert mail.redis.zcard("clock:rate_slots") == 1
    rates.forget(mail.redis, within=0, now_ms=after(hours=25))
    assert mail.redis.zcard("clock:rate_slots") == 0


def test_a_worker_removes_many_rates_in_steps_and_no_other_worker_does_so_in_that_minute(
    redis: Redis, fake_clock: FakeClock
) -> None:
    many = rates.MOST + 100
    redis.hset("clock:rates", mapping={f"account:{n}": "1.000|1.000|0.000|0.000|0.000" for n in range(many)})
    at, removed = rates.forget(redis, within=0)
    assert (at == rates.START, 0 < removed < many) == (False, True)

    LimitChecks(redis, clock=fake_clock).look()
    assert redis.hlen("clock:rates") == 0

    redis.hset("clock:rates", "account:1", "1.000|1.000|0.000|0.000|0.000")
    LimitChecks(redis, clock=fake_clock).look()
    assert redis.hlen("clock:rates") == 1


@pytest.mark.parametrize("window", [False, True])
def test_a_claim_of_many_jobs_starts_as_many_as_the_rate_allows(bench: Build, redis: Redis, window: bool) -> None:
    rate = Rate("many", 5, per=3600, window=window)
    jids = [PostLetterJob.set(rates=rate).perform_async(number) for number in range(12)]

    claimed = bench().fetcher.claims.claim(12)

    assert [json.loads(job.payload)["jid"] for job in claimed] == jids[:5]
    assert redis.zcard("schedule") == 7


def test_a_weight_that_another_program_made_huge_counts_for_a_hundred_starts(redis: Redis, bench: Build) -> None:
    rate = {"name": "mailgun", "count": 10**9, "per": 60_000, "weight": 10**9, "window": True}
    job = {"class": "PostLetterJob", "args": [], "jid": "a" * 24, "limits": [], "rates": [rate]}
    redis.lpush("queue:default", json.dumps(job))

    bench().fetcher.claim(1)

    assert redis.zcard("clock:rate_starts") == 100
