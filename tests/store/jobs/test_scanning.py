"""Reading queues and sorted sets in bounded steps."""

from collections.abc import Iterator, Sequence

import pytest
from redis import Redis

from clock.store.jobs.scanning import (
    ANY_CASE_JOBS,
    FIRST_JOBS,
    MOST_JOBS,
    START,
    Cursor,
    End,
    Kind,
    Order,
    Step,
    list_step,
    sampled,
    set_step,
    size,
)
from clock.store.jobs.steps import STEP_BYTES
from tests.store.jobs.calls import calls


def set_steps(redis: Redis, order: Order, texts: Sequence[str] = (), most: int = MOST_JOBS) -> Iterator[Step]:
    cursor = START
    for _ in range(50):
        step = set_step(redis, "retry", cursor, texts, order, most)
        yield step
        if step.cursor is None:
            return
        cursor = step.cursor
    raise AssertionError("the steps do not end")


def list_steps(redis: Redis, end: End, texts: Sequence[str] = (), most: int = MOST_JOBS) -> Iterator[Step]:
    cursor = START
    for _ in range(50):
        step = list_step(redis, "queue:default", cursor, texts, end, most)
        yield step
        if step.cursor is None:
            return
        cursor = step.cursor
    raise AssertionError("the steps do not end")


def members(steps: Iterator[Step]) -> list[str]:
    return [seen.member.decode() for step in steps for seen in step.jobs]


@pytest.mark.parametrize(
    "cursor",
    [
        START,
        Cursor("1795500000.25", 3, 200),
        Cursor("-inf", 0, 1),
        Cursor("+inf", 999, MOST_JOBS, 63),
        Cursor("1.5e+300", 1, 7, 2),
        Cursor("", 123_456_789, 400, 1),
    ],
)
def test_a_cursor_is_read_from_its_own_text(cursor: Cursor) -> None:
    assert Cursor.of(str(cursor)) == cursor


def test_the_text_of_a_cursor_has_its_shard_only_if_that_is_not_the_home() -> None:
    assert str(Cursor("1.5", 2, 3)) == "1.5:2:3"
    assert str(Cursor("1.5", 2, 3, 4)) == "4/1.5:2:3"


@pytest.mark.parametrize(
    "text",
    ["", "1:2", "x:1:2", "1:2:3:4", "nan:0:1", ":-1:5", "100/:0:1", ".:0:1", f":0:{'9' * 16}", ":0:1\n", "/:0:1"],
)
def test_a_text_that_no_cursor_wrote_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^$|could not convert|:"):
        Cursor.of(text)


@pytest.mark.parametrize(("asked", "jobs"), [(0, 1), (1, 1), (MOST_JOBS, MOST_JOBS), (MOST_JOBS + 1, MOST_JOBS)])
def test_a_cursor_of_a_caller_reads_from_1_to_1000_jobs(asked: int, jobs: int) -> None:
    assert Cursor.of(f":0:{asked}").jobs == jobs


@pytest.mark.parametrize("order", ["lowest", "highest"])
@pytest.mark.parametrize("most", [1, 2, 3, 7, MOST_JOBS])
def test_all_members_of_a_set_are_read_once_in_order_whatever_scores_they_share(
    redis: Redis, order: Order, most: int
) -> None:
    scores = {f"job-{number:02}": float(number // 5) for number in range(23)}
    redis.zadd("retry", scores)

    steps = list(set_steps(redis, order, most=most))

    wanted = sorted(scores, key=lambda name: (scores[name], name), reverse=order == "highest")
    assert members(iter(steps)) == wanted
    assert [seen.score for step in steps for seen in step.jobs] == [scores[name] for name in wanted]
    assert [step.begin for step in steps] == list(range(0, 23 + (23 % most == 0), most))
    assert sum(step.read for step in steps) == 23


@pytest.mark.parametrize("order", ["lowest", "highest"])
def test_each_job_of_a_set_has_the_cursor_of_the_job_after_it(redis: Redis, order: Order) -> None:
    redis.zadd("retry", {f"job-{number}": number // 3 for number in range(8)})
    names = members(set_steps(redis, order))
    cursor, found = START, list[str]()

    while (jobs := set_step(redis, "retry", cursor, (), order, 4).jobs) and len(found) < 10:
        found.append(jobs[min(1, len(jobs) - 1)].member.decode())  # two at a time
        cursor = jobs[min(1, len(jobs) - 1)].after

    assert found == names[1::2]


@pytest.mark.parametrize("end", ["next", "newest"])
@pytest.mark.parametrize("most", [1, 2, 3, 7, MOST_JOBS])
def test_all_jobs_of_a_queue_are_read_once_from_either_end(redis: Redis, end: End, most: int) -> None:
    names = [f"job-{number:02}" for number in range(21)]
    redis.lpush("queue:default", *names)

    steps = list(list_steps(redis, end, most=most))

    assert members(iter(steps)) == (names if end == "next" else names[::-1])
    assert {seen.score for step in steps for seen in step.jobs} == {None}
    assert [step.begin for step in steps] == list(range(0, 21 + (21 % most == 0), most))
    assert sum(step.read for step in steps) == 21


@pytest.mark.parametrize("end", ["next", "newest"])
def test_each_job_of_a_queue_has_the_cursor_of_the_job_after_it(redis: Redis, end: End) -> None:
    names = [f"job-{number}" for number in range(7)]
    redis.lpush("queue:default", *names)
    wanted = names if end == "next" else names[::-1]

    for place, seen in enumerate(list_step(redis, "queue:default", START, ("=job",), end).jobs):
        assert members(iter([list_step(redis, "queue:default", seen.after, (), end)])) == wanted[place + 1 :]


def test_only_jobs_that_hold_all_texts_are_returned_and_the_others_are_counted_as_read(redis: Redis) -> None:
    redis.lpush("queue:default", "Apple pie", "apple cake", "pear pie")
    redis.zadd("retry", {"Apple pie": 1, "apple cake": 2, "pear pie": 2, "APPLE PIE": 3})

    for texts, found in (
        (["=pie", "=Apple"], ["Apple pie"]),
        (["~APPLE"], ["Apple pie", "apple cake"]),
        (["=cake", "~aPPle"], ["apple cake"]),
        (["=plum"], []),
    ):
        [queue] = list_steps(redis, "next", texts)
        assert (members(iter([queue])), queue.read) == (found, 3)
        [newest] = list_steps(redis, "newest", texts)
        assert (members(iter([newest])), newest.read) == (found[::-1], 3)
    [step] = set_steps(redis, "lowest", ["~apple"])
    assert (members(iter([step])), step.read) == (["Apple pie", "apple cake", "APPLE PIE"], 4)


def test_the_first_step_reads_64_jobs_and_the_next_ones_more_up_to_1000(redis: Redis) -> None:
    redis.rpush("queue:default", *range(4_000))
    redis.zadd("retry", {str(number): number for number in range(4_000)})

    assert FIRST_JOBS == 64
    assert [step.read for step in list_steps(redis, "next", ["=x"])] == [64, 256, 1_000, 1_000, 1_000, 680]
    assert [step.read for step in set_steps(redis, "lowest", ["=x"])] == [64, 256, 1_000, 1_000, 1_000, 680]


def test_a_step_that_compares_upper_and_lower_case_reads_400_jobs_at_most(redis: Redis) -> None:
    redis.rpush("queue:default", *range(1_200))

    assert ANY_CASE_JOBS == 400
    assert [step.read for step in list_steps(redis, "next", ["=1", "~x"])] == [64, 256, 400, 400, 80]


@pytest.mark.parametrize(("length", "jobs"), [(STEP_BYTES // 100, 100), (STEP_BYTES, 1), (STEP_BYTES + 1, 1)])
def test_the_step_after_large_jobs_reads_about_a_megabyte(redis: Redis, length: int, jobs: int) -> None:
    redis.rpush("queue:default", *["x" * length] * 2, *range(200))

    first = list_step(redis, "queue:default", START, (), "newest")

    assert first.cursor == Cursor(skip=64, jobs=jobs)
    assert {seen.after.jobs for seen in first.jobs} == {jobs}


def test_jobs_without_a_text_are_read_on(redis: Redis) -> None:
    redis.rpush("queue:default", *[""] * 100)

    assert [step.read for step in list_steps(redis, "next")] == [64, 36]


def test_a_set_is_read_on_behind_its_last_job_although_jobs_before_it_have_left_or_joined(redis: Redis) -> None:
    redis.zadd("retry", {f"job-{number}": number for number in range(6)})
    step = set_step(redis, "retry", START, (), "lowest", 3)
    assert step.cursor
    redis.zrem("retry", "job-0", "job-1")
    redis.zadd("retry", {"early-1": 0.5, "early-2": 0.6, "early-3": 0.7})

    after = set_step(redis, "retry", step.cursor, (), "lowest", 2)

    assert members(iter([after])) == ["job-3", "job-4"]
    assert after.begin == 4


KINDS = pytest.mark.parametrize("kind", ["list", "zset"])


def fill(redis: Redis, kind: Kind, count: int, length: int = 1) -> list[bytes]:
    jobs = [f"{number:0{max(length, 4)}}".encode() for number in range(count)]
    if kind == "list":
        redis.rpush("jobs", *jobs)
    else:
        redis.zadd("jobs", {job: place for place, job in enumerate(jobs)})
    return jobs


@KINDS
@pytest.mark.parametrize("count", [1, 16, 17, 100, 450])
def test_all_jobs_are_read_once_in_order_if_they_are_not_more_than_wanted(
    redis: Redis, kind: Kind, count: int
) -> None:
    jobs = fill(redis, kind, count)

    assert size(redis, "jobs", kind) == count
    assert list(sampled(redis, "jobs", kind, count, count)) == jobs


@KINDS
def test_of_more_jobs_about_as_many_as_wanted_are_read_in_pages_spread_over_the_place(
    redis: Redis, kind: Kind
) -> None:
    jobs = fill(redis, kind, 3_000)

    found = list(sampled(redis, "jobs", kind, 3_000, 300))

    places = [jobs.index(job) for job in found]
    pages = [at for at, place in enumerate(places) if at == 0 or place != places[at - 1] + 1]
    assert [places[at] for at in pages] == [0, 160, 800, 1_800, 2_800]
    assert len(found) == 16 + 64 + 3 * 100


@KINDS
def test_jobs_that_leave_or_join_during_the_reading_end_it_or_are_left_out(redis: Redis, kind: Kind) -> None:
    jobs = fill(redis, kind, 20)

    assert list(sampled(redis, "jobs", kind, 50, 50)) == jobs
    assert list(sampled(redis, "jobs", kind, 16, 16)) == jobs[:16]
    assert list(sampled(redis, "jobs", kind, 0, 10)) == []
    assert list(sampled(redis, "none", kind, 5, 10)) == []


@KINDS
def test_large_jobs_are_read_in_smaller_pages(redis: Redis, kind: Kind) -> None:
    jobs = fill(redis, kind, 40, 100_000)
    redis.config_resetstat()

    assert list(sampled(redis, "jobs", kind, 40, 40)) == jobs

    command = "lrange" if kind == "list" else "zrange"
    assert calls(redis, command) == 4  # 16, 10, 10, 4


def test_a_key_of_another_type_has_no_jobs(redis: Redis) -> None:
    redis.set("jobs", "foreign")

    assert size(redis, "jobs", "list") == size(redis, "jobs", "zset") == 0
