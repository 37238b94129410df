import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from clock import Discard, Job, client_middleware
from clock.errors import ArgumentsError, EncryptionKeyMissing, JobError
from clock.job.payload import Payload
from clock.job.push import client
from clock.job.push.client import using_clock
from clock.rehearsal.job_modes import Mode
from clock.testing import (
    FakeClock,
    all_jobs,
    clear_all,
    disable,
    drain_all,
    fake,
    inline,
    mode,
    server_middleware,
)

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)
ran: list[object] = []


class PackParcelJob(Job):
    def perform(self, thing: object) -> str:
        ran.append(thing)
        if thing == "next":
            PackParcelJob.perform_async("last")
            LabelParcelJob.perform_async(7)
        if thing == "broken":
            raise RuntimeError("broken")
        if thing == "gone":
            raise Discard("gone")
        return f"packed {thing}"


class LabelParcelJob(Job):
    async def perform(self, number: int) -> str:
        await asyncio.sleep(0)
        ran.append(number)
        return f"labelled {number}"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    ran.clear()
    carrier, chain = client.carrier(), client_middleware.entries
    yield
    Mode(carrier)  # with its key: a test that ends no mode leaves both
    client_middleware.entries = chain
    server_middleware.clear()


def test_faked_jobs_are_collected_by_class_as_a_worker_would_read_them(redis: Redis) -> None:
    with using_clock(FakeClock(NOW)), fake():
        jid = PackParcelJob.set(queue="low").perform_async({"a": [1, 2**70]})
        LabelParcelJob.perform_bulk([[1], [2]])
        LabelParcelJob.perform_in(60, 3)

        [payload] = PackParcelJob.jobs
        assert payload == {
            "class": "PackParcelJob",
            "args": [{"a": [1, 2**70]}],
            "jid": jid,
            "queue": "low",
            "retry": True,
            "created_at": NOW.timestamp(),
            "enqueued_at": NOW.timestamp(),
        }
        assert [(job["args"], job.get("at")) for job in LabelParcelJob.jobs] == [
            ([1], None),
            ([2], None),
            ([3], NOW.timestamp() + 60),
        ]
        assert [job["class"] for job in all_jobs()] == ["PackParcelJob"] + ["LabelParcelJob"] * 3
    assert redis.keys("*") == []
    assert ran == []


def test_arguments_are_copied_when_they_are_pushed() -> None:
    things = [1]

    with fake():
        PackParcelJob.perform_async(things)
        things.append(2)
        PackParcelJob.drain()

    assert ran == [[1]]


def test_draining_a_class_runs_what_its_jobs_push_of_it() -> None:
    with fake():
        PackParcelJob.perform_async("next")

        assert PackParcelJob.drain() == 2
        assert PackParcelJob.jobs == []
        assert len(LabelParcelJob.jobs) == 1

    assert ran == ["next", "last"]


def test_draining_all_runs_every_class_until_nothing_is_left() -> None:
    with fake():
        PackParcelJob.perform_async("next")
        PackParcelJob.perform_async("gone")

        assert drain_all() == 4
        assert all_jobs() == []

    assert ran == ["next", "gone", "last", 7]


def test_one_job_is_performed_the_first_one_and_gives_its_result() -> None:
    with fake():
        PackParcelJob.perform_async(1)
        PackParcelJob.perform_async(2)
        LabelParcelJob.perform_async(3)

        assert PackParcelJob.perform_one() == "packed 1"
        assert LabelParcelJob.perform_one() == "labelled 3"
        assert len(PackParcelJob.jobs) == 1
        with pytest.raises(JobError, match="no LabelParcelJob was pushed in this fake"):
            LabelParcelJob.perform_one()


def test_what_a_drained_job_raises_is_raised_and_the_job_is_gone() -> None:
    with fake():
        PackParcelJob.perform_async("broken")

        with pytest.raises(RuntimeError, match="broken"):
            PackParcelJob.drain()
        assert PackParcelJob.jobs == []


def test_collected_jobs_can_be_forgotten() -> None:
    with fake():
        PackParcelJob.perform_async(1)
        LabelParcelJob.perform_async(2)

        PackParcelJob.clear()

        assert [job["class"] for job in all_jobs()] == ["LabelParcelJob"]
        clear_all()
        assert all_jobs() == []


def test_wrong_arguments_are_refused_in_tests_as_in_production() -> None:
    with fake(), pytest.raises(ArgumentsError):
        PackParcelJob.perform_async(NOW)


def test_an_inline_job_runs_when_it_is_pushed_a_delayed_one_too() -> None:
    with inline():
        PackParcelJob.perform_in(timedelta(days=1), "next")
        with pytest.raises(RuntimeError, match="broken"):
            PackParcelJob.perform_async("broken")

    assert ran == ["next", "last", 7, "broken"]


def test_jobs_are_pushed_and_run_inside_an_event_loop_too() -> None:
    async def body() -> None:
        with inline():
            await LabelParcelJob.aperform_async(1)
            LabelParcelJob.perform_async(2)
            await PackParcelJob.aperform_async("x")
        with fake():
            await LabelParcelJob.aperform_bulk([[3]])
            assert LabelParcelJob.drain() == 1

    asyncio.run(body())

    assert ran == [1, 2, "x", 3]


def test_disabled_jobs_go_to_redis(redis: Redis) -> None:
    with fake():
        with disable():
            PackParcelJob.perform_async(1)
        assert PackParcelJob.jobs == []

    assert redis.llen("queue:default") == 1


def test_a_mode_can_be_set_for_good_and_each_fake_begins_empty() -> None:
    fake()
    PackParcelJob.perform_async(1)
    with fake():
        assert PackParcelJob.jobs == []

    assert len(PackParcelJob.jobs) == 1


def test_outside_a_fake_there_is_nothing_to_look_at() -> None:
    with pytest.raises(
        JobError, match=r"PackParcelJob\.jobs is for tests: use it inside `with clock.testing.fake"
    ):
        _ = PackParcelJob.jobs
    with pytest.raises(JobError, match=r"PackParcelJob\.drain\(\) is for tests"):
        PackParcelJob.drain()
    with pytest.raises(JobError, match="no jobs are collected"):
        drain_all()


def test_client_middleware_runs_and_server_middleware_is_the_tests_own() -> None:
    @client_middleware.add
    def label(job: type[Job], payload: Payload, queue: str) -> None:
        payload["label"] = queue

    @server_middleware.add
    @contextmanager
    def around(job: Job, payload: Payload, queue: str) -> Iterator[None]:
        ran.append(payload["label"])
        yield

    with fake():
        PackParcelJob.perform_async(1)
        PackParcelJob.drain()

    assert ran == ["default", 1]


def test_the_jobs_of_a_class_are_a_live_list() -> None:
    with fake():
        jobs = PackParcelJob.jobs
        assert jobs == []

        PackParcelJob.perform_async("box")
        LabelParcelJob.perform_async(1)
        PackParcelJob.perform_async("bag")
        assert [payload["args"] for payload in jobs] == [["box"], ["bag"]]
        assert repr(jobs) == repr(list(jobs))
        assert (len(jobs), jobs[-1]["args"], jobs == PackParcelJob.jobs) == (2, ["bag"], True)

        del jobs[0]
        assert PackParcelJob.jobs.pop()["args"] == ["bag"]
        assert PackParcelJob.jobs == []
        assert len(LabelParcelJob.jobs) == 1

        LabelParcelJob.jobs.clear()
        assert all_jobs() == []


def test_a_job_is_added_by_pushing_it_alone() -> None:
    with fake():
        jid = PackParcelJob.perform_async("box")
        [payload] = PackParcelJob.jobs

        with pytest.raises(TypeError, match=r"added by pushing them: SomeJob.perform_async"):
            PackParcelJob.jobs.append(payload)
        with pytest.raises(TypeError, match="added by pushing them"):
            PackParcelJob.jobs[0] = payload

        assert [one["jid"] for one in PackParcelJob.jobs] == [jid]


def test_the_mode_is_known_and_blocks_may_be_nested() -> None:
    with fake():
        outer = mode()
        with inline():
            middle = mode()
            with disable():
                inner = mode()
        after = mode()

    assert (outer, middle, inner, after, mode()) == ("fake", "inline", "disabled", "fake", "disabled")


def test_a_mode_can_be_that_of_one_thread_and_of_what_it_starts(redis: Redis) -> None:
    async def push_in_tasks() -> None:
        await asyncio.create_task(LabelParcelJob.aperform_async(2))
        await asyncio.to_thread(LabelParcelJob.perform_async, 3)

    with fake(), ThreadPoolExecutor(1) as other:
        with fake(this_thread=True):
            LabelParcelJob.perform_async(1)
            asyncio.run(push_in_tasks())
            other.submit(LabelParcelJob.perform_async, 4).result()
            with inline(this_thread=True):
                assert (mode(), other.submit(mode).result()) == ("inline", "fake")
            own = [job["args"] for job in all_jobs()]
            with disable():
                assert (mode(), other.submit(mode).result()) == ("disabled", "disabled")
            assert mode() == "fake"
        shared = [job["args"] for job in all_jobs()]

    assert (own, shared) == ([[1], [2], [3]], [[4]])
    assert mode() == "disabled"


def test_the_random_encryption_key_of_tests_is_that_of_the_thread_alone() -> None:
    class SealParcelJob(Job):
        encrypt = True

        def perform(self, secret: dict[str, str]) -> None: ...

    with fake(this_thread=True), ThreadPoolExecutor(1) as other:
        SealParcelJob.perform_async({"code": "1234"})

        assert SealParcelJob.jobs[0]["args"] == [{"code": "1234"}]
        with pytest.raises(EncryptionKeyMissing):
            other.submit(SealParcelJob.perform_async, {"code": "1234"}).result()
