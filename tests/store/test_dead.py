"""The limits of `dead`: the same wherever a job dies, and what they remove is told."""

import logging

import pytest
from redis import Redis

from clock.clocks import from_ms
from clock.store.jobs.dead import STEP, DeadLimits, Trimmed, trim
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Claimed, Move

NOW = 1_795_500_000.0


def fill(redis: Redis, count: int, *, score: float = NOW - 60) -> None:
    redis.zadd("dead", {f"{score}-{number}": score + number / 1000 for number in range(count)})


def claim(redis: Redis, limits: DeadLimits) -> tuple[InProgress, Claimed]:
    redis.lpush("queue:default", "new")
    in_progress = InProgress(redis, "host:1:a", limits)
    [job] = in_progress.claim(["default"], 1, done=(), now=from_ms(0), expires_seconds=0.0)
    return in_progress, job


@pytest.mark.parametrize("by", ["a failed job", "a dead worker's job"])
def test_however_a_job_dies_the_oldest_beyond_the_limits_go_and_the_log_says_how_many(
    redis: Redis, caplog: pytest.LogCaptureFixture, by: str
) -> None:
    caplog.set_level(logging.WARNING)
    fill(redis, 12)
    fill(redis, 3, score=NOW - 7_200)
    in_progress, job = claim(redis, DeadLimits(max_jobs=10, seconds=3_600))

    if by == "a failed job":
        in_progress.set_aside(job, "new", where="dead", score=NOW, now=from_ms(0))
    else:
        in_progress.put_back([Move(job, "dead", NOW, "new")])

    left = redis.zrange("dead", 0, -1)
    assert (len(left), left[-1]) == (10, b"new")
    assert caplog.messages == [
        "3 older dead jobs were removed by dead_max_jobs = 10 "
        "and 3 older dead jobs were removed by dead_timeout = 3600 (seconds)"
    ]


def test_a_job_that_dies_within_the_limits_removes_nothing_and_logs_nothing(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    fill(redis, 9)
    in_progress, job = claim(redis, DeadLimits(max_jobs=10))

    in_progress.set_aside(job, "new", where="dead", score=NOW, now=from_ms(0))

    assert redis.zcard("dead") == 10
    assert caplog.messages == []


def test_thousands_beyond_the_limit_are_removed_in_short_steps(redis: Redis) -> None:
    fill(redis, 5 * STEP)
    redis.config_resetstat()

    removed = trim(redis, DeadLimits(max_jobs=10), NOW)

    assert removed == Trimmed(by_number=5 * STEP - 10)
    assert redis.zcard("dead") == 10
    assert redis.info("commandstats")["cmdstat_zremrangebyrank"]["calls"] == 5


def test_no_dead_job_is_kept_where_the_limit_is_0(redis: Redis) -> None:
    fill(redis, 2)

    assert trim(redis, DeadLimits(max_jobs=0), NOW).count == 2
    assert redis.zcard("dead") == 0


@pytest.mark.parametrize(
    ("removed", "words"),
    [
        (Trimmed(), ""),
        (Trimmed(by_age=1), "1 older dead job was removed by dead_timeout = 60.5 (seconds)"),
        (Trimmed(by_number=2_000), "2,000 older dead jobs were removed by dead_max_jobs = 10"),
        (
            Trimmed(2, 1),
            "1 older dead job was removed by dead_max_jobs = 10 "
            "and 2 older dead jobs were removed by dead_timeout = 60.5 (seconds)",
        ),
    ],
)
def test_the_removed_jobs_are_told_with_the_setting_that_removed_them(removed: Trimmed, words: str) -> None:
    assert DeadLimits(10, 60.5).words(removed) == words


def test_a_job_is_kept_up_to_its_last_second_and_old_ones_do_not_count_against_the_number(redis: Redis) -> None:
    redis.zadd("dead", {"old-1": 0, "old-2": 1, "kept": 9.5, "young": 50, "new": 60})

    assert trim(redis, DeadLimits(max_jobs=2, seconds=50.5), 60) == Trimmed(by_age=2, by_number=1)

    assert redis.zrange("dead", 0, -1) == [b"young", b"new"]
    assert trim(redis, DeadLimits(seconds=10), 60).count == 0
