import asyncio
import itertools
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from redis import Redis

from clock import JobResult, api
from clock.api import FoundJob, JobSet, Queue
from clock.errors import JobError
from tests.api.conftest import Payload

AT = 1_795_500_000.0


@pytest.fixture
def dead(redis: Redis, payload: Payload) -> list[str]:
    """1,200 dead jobs of two classes: the first 300 died in the same instant."""
    members = {
        payload(f"{n:04}", **({"class": "RareJob"} if n % 400 == 307 else {})): AT + max(0, n - 300)
        for n in range(1_200)
    }
    redis.zadd("dead", members)
    return [f"{n:04}" for n in range(1_200)]


def jids(jobs: Iterator[FoundJob]) -> list[str]:
    return [job.jid for job in jobs]


def pages(of: Callable[[str | None], api.Page]) -> Iterator[api.Page]:
    cursor = None
    while True:
        page = of(cursor)
        yield page
        cursor = page.cursor
        if cursor is None:
            return


@pytest.mark.parametrize("order", ["first", "last"])
def test_the_pages_of_a_set_hold_each_job_once(dead: list[str], order: str) -> None:
    found = list(pages(lambda cursor: api.DeadSet().page(cursor, limit=37, order=order)))  # type: ignore[arg-type]

    assert jids(itertools.chain.from_iterable(page.jobs for page in found)) == (
        dead if order == "first" else sorted(dead, reverse=True)
    )
    assert {len(page.jobs) for page in found[:-1]} == {37}
    assert {page.total for page in found} == {1_200}


def test_a_page_with_a_filter_reads_a_bounded_number_of_jobs(dead: list[str]) -> None:
    found = list(pages(lambda cursor: api.DeadSet().page(cursor, limit=2, scan=300, class_="RareJob")))

    assert jids(itertools.chain.from_iterable(page.jobs for page in found)) == ["0307", "0707", "1107"]
    assert max(page.searched for page in found) <= 300
    assert len(found) > 2


def test_jobs_that_leave_between_two_pages_hide_no_others(redis: Redis, dead: list[str]) -> None:
    place = api.DeadSet()
    first = place.page(limit=500)

    for job in first.jobs[:400]:
        redis.zrem("dead", job.member)
    rest = place.page(first.cursor, limit=1_000)

    assert jids(iter(rest.jobs)) == dead[500:]


def test_the_pages_of_a_queue_begin_with_the_next_job_or_with_the_newest(redis: Redis, payload: Payload) -> None:
    redis.lpush("queue:default", *[payload(f"{n:03}") for n in range(200)])
    queue = Queue()

    next_ones = list(pages(lambda cursor: queue.page(cursor, limit=60)))
    newest = list(pages(lambda cursor: queue.page(cursor, limit=60, order="last")))

    everyone = [f"{n:03}" for n in range(200)]
    assert jids(itertools.chain.from_iterable(page.jobs for page in next_ones)) == everyone
    assert jids(itertools.chain.from_iterable(page.jobs for page in newest)) == everyone[::-1]
    assert jids(iter(queue.page(limit=3, jid=["150", "002"], scan=200).jobs)) == ["002", "150"]


def test_a_page_of_a_queue_with_a_filter_goes_on_after_the_last_job_shown(redis: Redis, payload: Payload) -> None:
    redis.lpush("queue:default", *[payload(f"{n:03}", args=[n % 2]) for n in range(100)])

    found = list(pages(lambda cursor: Queue().page(cursor, limit=7, args="1")))

    assert jids(itertools.chain.from_iterable(page.jobs for page in found)) == [
        f"{n:03}" for n in range(1, 100, 2)
    ]


@pytest.mark.parametrize("cursor", ["", "1:2", "x:1:1", "1:-1:5", "a:b:c:d"])
def test_a_cursor_that_no_page_gave_is_refused(redis: Redis, cursor: str) -> None:
    with pytest.raises(api.InvalidCursor, match="invalid cursor"):
        api.DeadSet().page(cursor)


@pytest.mark.parametrize("place", [api.ScheduledSet, api.RetrySet, api.DeadSet])
def test_a_set_is_searched_by_every_condition(redis: Redis, payload: Payload, place: type[JobSet]) -> None:
    failed = {"failed_at": AT - 7200, "error_class": "OSError", "error_message": "Net down"}
    redis.zadd(place.name, {payload("a", args=["Ada", {"b": 2}], queue="low", **failed): AT})
    redis.zadd(place.name, {payload("b", **{"class": "Billing::ChargeJob"}, args=["secret"], redact=[0]): AT + 60})
    redis.zadd(place.name, {b"no payload": AT + 120})
    jobs = place()

    assert jids(jobs.search(class_="SendMailJob")) == ["a"]
    assert jids(jobs.search(class_="Billing::*")) == ["b"]
    assert jids(jobs.search(args="ada")) == ["a"]
    assert jids(jobs.search(args='"b":2')) == ["a"]
    assert jids(jobs.search(args="secret")) == []
    assert jids(jobs.search(error="net DOWN")) == ["a"]
    assert jids(jobs.search(queue="lo?")) == ["a"]
    assert jids(jobs.search(before=AT + 60)) == ["a"]
    assert jids(jobs.search(jid=["b", "a"], class_="Send*")) == ["a"]
    assert [job.member for job in jobs.search(class_="unreadable")] == [b"no payload"]
    assert (jobs.find("b") or FoundJob(b"")).args == ["[hidden]"]
    assert jobs.find("nobody") is None
    assert (len(jobs), bool(jobs)) == (3, True)


def test_an_unknown_condition_is_named_with_those_that_are_known(redis: Redis) -> None:
    with pytest.raises(JobError, match="unknown condition klass; known are args, before, class_"):
        api.DeadSet().search(klass="x")  # type: ignore[call-arg]


WRONG = {
    "class_ is ''; pass a text that is not empty": {"class_": ""},
    "args is ''": {"args": ""},
    "text is ''": {"text": ""},
    "error is ''": {"error": ""},
    "queue is ''": {"queue": ""},
    "class_ is <class": {"class_": JobSet},
    "args is 5": {"args": 5},
    "jid is 5; pass a job id, or a list": {"jid": 5},
    "jid is b'a'": {"jid": b"a"},
    "older_than is -5; pass seconds or a timedelta, 0 or more": {"older_than": -5},
    "older_than is nan": {"older_than": float("nan")},
    "pass the cursor of a page": {"cursor": 5},
    "limit is 0; it must be a whole number, 1 to": {"limit": 0},
    "limit is 1.5": {"limit": 1.5},
    "scan is -1": {"scan": -1},
    'order is \'lst\'; it must be "first" or "last"': {"order": "lst"},
}


@pytest.mark.parametrize("message", WRONG)
def test_a_condition_that_would_mean_all_jobs_or_is_no_condition_is_refused(
    redis: Redis, dead: list[str], message: str
) -> None:
    with pytest.raises((JobError, api.InvalidCursor), match=re.escape(message)):
        api.DeadSet().page(**WRONG[message])  # type: ignore[arg-type]


def test_an_empty_list_of_job_ids_means_no_job(redis: Redis, dead: list[str]) -> None:
    jobs = api.DeadSet()

    assert list(jobs.search(jid=[])) == []
    assert (jobs.delete(jid=[]), jobs.retry_all(jid=[]), jobs.size()) == (0, 0, 1_200)
    assert len(list(jobs.search(class_="RareJob", jid=None))) == 3  # type: ignore[arg-type]


def test_a_list_in_place_of_jobs_is_refused(redis: Redis, dead: list[str]) -> None:
    found = list(api.DeadSet().search(class_="RareJob"))

    with pytest.raises(JobError, match=r"delete got .*; pass jobs that a search returned, and a list as \*jobs"):
        api.DeadSet().delete(found)  # type: ignore[arg-type]
    assert api.DeadSet().delete(*found) == 3


@pytest.mark.parametrize("make", [api.Queue, api.JobRef, api.BatchRef, JobResult])
@pytest.mark.parametrize("name", ["a\udcff", None, 5])
def test_a_name_that_redis_cannot_hold_is_refused(redis: Redis, make: Callable[[Any], object], name: Any) -> None:
    with pytest.raises(JobError, match=r"it must be a|not valid UTF-8"):
        make(name)


@pytest.mark.slow
def test_jobs_of_megabytes_are_read_a_few_at_a_time(redis: Redis, payload: Payload) -> None:
    redis.lpush("queue:default", *[payload(str(n), args=["x" * 400_000]) for n in range(90)])
    before = redis.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]

    found = list(Queue().search())

    assert len(found) == 90
    calls = redis.info("commandstats")["cmdstat_evalsha"]["calls"] - before
    assert calls >= 10  # the first step cannot know how large they are


def test_every_reading_method_has_a_twin_to_await(redis: Redis, payload: Payload, dead: list[str]) -> None:
    redis.lpush("queue:default", payload("q"))

    async def read() -> list[object]:
        queue, jobs = Queue(), api.DeadSet()
        rare = [job.jid async for job in jobs.asearch(class_="RareJob")]
        assert [job.jid async for job in jobs] == [job.jid for job in jobs]
        page = await jobs.apage(limit=2)
        found = await queue.afind("q")
        return [rare, len(page.jobs), found and found.jid, await queue.asize(), await queue.alatency()]

    assert asyncio.run(read()) == [["0307", "0707", "1107"], 2, "q", 1, 0.0]


def test_each_object_is_shown_with_the_name_of_what_it_stands_for(redis: Redis) -> None:
    objects = [Queue("mail"), api.DeadSet(), api.JobRef("a1"), api.BatchRef("b1")]

    assert [repr(one) for one in objects] == ["Queue('mail')", "DeadSet()", "JobRef('a1')", "BatchRef('b1')"]


def test_a_time_without_a_zone_is_no_condition(redis: Redis) -> None:
    with pytest.raises(JobError, match="before: "):
        list(api.DeadSet().search(before=datetime(2026, 11, 24)))  # it is refused
