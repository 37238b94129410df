import asyncio
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clock import Job, JobTimeout
from clock.job import Context
from clock.testing import FakeClock
from tests.traced import not_traced

cleaned: list[str] = []
deadlines: list[datetime | None] = []


class CountForeverJob(Job):
    timeout = 0.05

    def perform(self, stubborn: bool = False) -> None:
        try:
            self.count_all()
        finally:
            cleaned.append("cleaned")

    def count_all(self) -> None:
        number = 0
        while True:
            try:
                number += 1
            except Exception:  # noqa: BLE001  # what a timeout must pass through
                number = 0


class AwaitForeverJob(Job):
    timeout = timedelta(milliseconds=50)

    async def perform(self) -> None:
        await asyncio.Event().wait()


class NoteDeadlineJob(Job):
    timeout = 60

    def perform(self) -> None:
        deadlines.append(self.deadline)


class NoteDeadlineLaterJob(Job):
    timeout = 60

    async def perform(self) -> None:
        deadlines.append(self.deadline)


class FinishInTimeJob(Job):
    timeout = 0.05

    def perform(self) -> str:
        return "in time"


def run(job: type[Job], **payload: object) -> Any:
    context = Context({"args": [], **payload}, clock=FakeClock(datetime(2026, 11, 24, 6, tzinfo=UTC)))
    return asyncio.run(job.arun(context)) if job.is_coroutine() else job.run(context)


def in_thread(run_it: Callable[[], object]) -> list[BaseException]:
    errors: list[BaseException] = []

    def body() -> None:
        try:
            run_it()
        except BaseException as error:  # noqa: BLE001  # it is what is looked at
            errors.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return errors


@not_traced
def test_a_thread_over_its_timeout_is_interrupted_and_cleans_up() -> None:
    cleaned.clear()

    while not cleaned:  # a machine that stands still may let the time run out before the job has begun
        [error] = in_thread(lambda: run(CountForeverJob))

    assert isinstance(error, JobTimeout)
    assert str(error) == "it ran for longer than its timeout, 0.05 s"
    assert cleaned == ["cleaned"]


def test_a_coroutine_over_its_timeout_is_cancelled() -> None:
    with pytest.raises(JobTimeout, match=r"timeout, 0\.05 s"):
        run(AwaitForeverJob)


def test_a_coroutine_that_somebody_else_cancels_is_cancelled_and_not_late() -> None:
    async def cancel_it() -> None:
        task = asyncio.create_task(AwaitForeverJob.arun(Context({"args": [], "timeout": 60})))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel_it())


@pytest.mark.parametrize("job", [NoteDeadlineJob, NoteDeadlineLaterJob])
def test_a_job_knows_its_deadline(job: type[Job]) -> None:
    deadlines.clear()

    run(job)
    run(job, timeout=5)

    assert deadlines == [
        datetime(2026, 11, 24, 6, 1, tzinfo=UTC),
        datetime(2026, 11, 24, 6, 0, 5, tzinfo=UTC),
    ]


def test_a_job_that_ended_in_time_is_not_interrupted_afterwards() -> None:
    ended = [""]

    def many() -> None:
        begun = time.monotonic()
        while time.monotonic() - begun < 0.3:
            with suppress(JobTimeout):  # of a machine that stood still while the job ran
                ended.append(run(FinishInTimeJob))

    assert in_thread(many) == []
    assert "in time" in ended


@pytest.mark.parametrize("nonsense", ["soon", -1, 0, None, True, [1]])
def test_a_timeout_in_a_payload_that_is_none_is_passed_over(nonsense: object) -> None:
    assert run(FinishInTimeJob, timeout=nonsense) == "in time"


class CountUpJob(Job):
    timeout = 0.0001

    def perform(self, up_to: int) -> int:
        for _ in range(up_to):
            pass
        return up_to


@pytest.mark.slow
@not_traced
def test_an_interruption_hits_the_job_or_nothing() -> None:
    """Jobs end just before, just after and just while they are interrupted, many times."""
    ended, interrupted = [0], [0]

    def many() -> None:
        stop = time.monotonic() + 4
        while time.monotonic() < stop:
            try:
                CountUpJob.run(Context({"args": [random.randrange(20_000)]}))  # noqa: S311  # no secret
                ended[0] += 1
            except JobTimeout:
                interrupted[0] += 1
            for _ in range(100):  # an interruption that is late would end the thread here
                time.monotonic()

    assert in_thread(many) == []
    assert min(ended[0], interrupted[0]) > 20
