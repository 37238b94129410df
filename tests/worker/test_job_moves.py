"""The next step of a job while Redis is away, or if Redis refuses it."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from clock.errors import StoreError, StoreUnavailable
from clock.problems import Problems
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Claimed
from clock.store.jobs.results import NOTHING_ELSE
from clock.testing import FakeClock
from clock.worker.fetching.claims import Claims
from clock.worker.options import WorkerOptions
from clock.worker.running.job_moves import JobMoves
from tests.worker.conftest import NOW
from tests.worker.jobs import NoteThingJob


class NotedWaits(FakeClock):
    """Time passes while somebody waits; `then` is called with each wait."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self.waits: list[float] = []
        self.then: Callable[[], object] = lambda: None

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        self.advance(timedelta(seconds=seconds))
        self.then()
        return stop.is_set()


class Refusing(InProgress):
    """Raises these errors first."""

    errors: list[StoreError]

    def _raise(self) -> None:
        if self.errors:
            raise self.errors.pop(0)

    def finish(self, *args: Any, **kwargs: Any) -> Any:
        self._raise()
        return super().finish(*args, **kwargs)

    def mark(self, job: Claimed) -> None:
        self._raise()
        super().mark(job)

    def hold_rates(self, *args: Any, **kwargs: Any) -> float:
        self._raise()
        return super().hold_rates(*args, **kwargs)


class Step:
    """A worker with one job in progress, which is to be finished."""

    def __init__(self, redis: Redis, *errors: StoreError) -> None:
        NoteThingJob.perform_async(1)
        self.clock = NotedWaits()
        self.problems = Problems(clock=self.clock)
        self.in_progress = Refusing(redis, "host:1:abc")
        self.in_progress.errors = list(errors)
        self.claims = Claims(self.in_progress, options=WorkerOptions(), clock=self.clock)
        self.moves = JobMoves(self.in_progress, self.claims, clock=self.clock, problems=self.problems)
        [self.job] = self.claims.claim(1)

    def finish(self) -> None:
        self.moves.finish_with(self.job, NOTHING_ELSE)

    def blocking(self) -> list[str]:
        """What holds up the worker a while later."""
        self.clock.advance(timedelta(minutes=2))
        self.problems.watch()
        return self.problems.blocking

    @property
    def is_in_progress(self) -> bool:
        return self.in_progress.all() == [self.job]


AWAY, REFUSED = StoreUnavailable("away"), StoreError("WRONGTYPE")


def test_while_redis_is_away_a_step_is_repeated_every_second(redis: Redis) -> None:
    step = Step(redis, AWAY, AWAY)

    step.finish()

    assert step.clock.waits == [1.0, 1.0]
    assert (step.is_in_progress, step.job in step.claims) == (False, False)
    assert step.blocking() == []


def test_a_step_is_given_up_if_the_worker_stops_while_redis_is_away(redis: Redis) -> None:
    step = Step(redis, *[AWAY] * 3)
    step.clock.then = step.claims.stopped.set

    step.finish()

    assert step.clock.waits == [1.0]
    assert step.is_in_progress, "other workers find it there"


def test_a_refused_step_is_tried_again_with_each_heartbeat_until_it_succeeds(redis: Redis) -> None:
    step = Step(redis, REFUSED, REFUSED)
    step.moves.retry_refused()

    step.finish()
    assert (step.is_in_progress, step.job in step.claims, step.clock.waits) == (True, True, [])
    step.moves.retry_refused()
    assert step.is_in_progress
    assert step.blocking() == ["WRONGTYPE"]
    step.moves.retry_refused()

    assert (step.is_in_progress, step.job in step.claims) == (False, False)
    assert step.blocking() == []


def test_a_mark_that_redis_refuses_is_logged_and_the_job_runs(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    step = Step(redis, REFUSED)

    step.moves.mark(step.job)

    assert "Could not read or write the mark of a job: WRONGTYPE" in caplog.text


def test_the_end_of_a_pause_of_rates_is_computed_here_if_redis_refuses_to_note_it(redis: Redis) -> None:
    step = Step(redis, REFUSED)

    assert step.moves.hold_rates("jid", ["mail"], 30.0) == step.clock.now().timestamp() + 30
    assert step.moves.hold_rates("jid", ["mail"], 30.0) != step.clock.now().timestamp() + 30
