"""The fetcher's promises where it is cut off, or stopped, at an awkward moment."""

from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from clock.clocks import Clock
from clock.errors import StoreUnavailable
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Claimed, Move
from clock.testing import FakeClock
from clock.worker.fetching.fetcher import Fetcher
from clock.worker.options import Queue, WorkerOptions
from tests.worker import jobs
from tests.worker.conftest import Bench
from tests.worker.jobs import NoteThingJob


class LosesAnswers(InProgress):
    """Claims, but the answer is lost on its way, as often as `losses` says."""

    losses = 0

    def claim(self, *args: Any, **kwargs: Any) -> list[Claimed]:
        found = super().claim(*args, **kwargs)
        if self.losses:
            self.losses -= 1
            raise StoreUnavailable("the answer was lost")
        return found


def fetcher_of(redis: Redis, clock: Clock) -> tuple[Fetcher, LosesAnswers]:
    in_progress = LosesAnswers(redis, "host:1:abc")
    options = WorkerOptions((Queue("default"),), concurrency=1)
    return Fetcher(in_progress, options=options, clock=clock), in_progress


def hash_size(redis: Redis) -> int:
    size: Any = redis.hlen("clock:in_progress:host:1:abc")
    return int(size)


def test_jobs_claimed_by_a_call_whose_answer_was_lost_are_found_and_those_that_run_are_not_run_twice(
    redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_bulk([[number] for number in range(6)])
    fetcher, in_progress = fetcher_of(redis, fake_clock)
    fetcher.claim(2)
    running, done = fetcher.handoff.take_all()
    fetcher.finish(fetcher.slots[0], done, 0.0)
    in_progress.losses = 1
    with pytest.raises(StoreUnavailable):
        fetcher.claim(2)

    fetcher.claim(1)

    found = fetcher.handoff.take_all()
    assert len(found) == 3
    assert not {running.number, done.number} & {job.number for job in found}
    assert hash_size(redis) == 4


def test_after_a_stop_nothing_more_is_claimed(redis: Redis, bench: Callable[..., Bench]) -> None:
    NoteThingJob.perform_async(1)
    fetcher = bench().fetcher
    fetcher.stop()

    assert fetcher.claim(1) == 0
    assert redis.llen("queue:default") == 1


def test_what_was_claimed_and_not_begun_when_a_worker_goes_quiet_is_for_others(
    redis: Redis, bench: Callable[..., Bench]
) -> None:
    NoteThingJob.perform_bulk([[1], [2]])
    before = redis.lrange("queue:default", 0, -1)
    fetcher = bench().fetcher
    fetcher.claim(2)

    fetcher.stop()
    fetcher.run()

    assert redis.lrange("queue:default", 0, -1) == before
    assert hash_size(redis) == 0


def test_jobs_may_be_taken_by_a_thread_while_all_are_taken_back(bench: Callable[..., Bench]) -> None:
    class TakenFrom(deque[Claimed]):
        """One whose last job a thread takes just after somebody looked whether there is one."""

        def __len__(self) -> int:
            found = super().__len__()
            if found == 1:
                self.popleft()
            return found

    job = Claimed(1, "default", b"{}")
    handoff = bench().fetcher.handoff
    handoff._jobs = TakenFrom([job, job])

    assert handoff.take_all() in ([job], [job, job])


def test_an_acknowledgement_whose_answer_was_lost_is_given_again_and_counts_once(
    redis: Redis, fake_clock: FakeClock
) -> None:
    jobs.ran.clear()
    NoteThingJob.perform_async(1)
    fetcher, in_progress = fetcher_of(redis, fake_clock)
    fetcher.claim(1)
    [job] = fetcher.handoff.take_all()
    fetcher.finish(fetcher.slots[0], job, 0.0)
    in_progress.losses = 1

    fetcher.acknowledge()
    fetcher.acknowledge()

    assert hash_size(redis) == 0
    assert redis.get("stat:processed") == b"1"


def test_at_the_end_all_jobs_are_given_back_in_their_order_also_those_whose_claims_answer_was_lost(
    redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_bulk([[number] for number in range(4)])
    before = redis.lrange("queue:default", 0, -1)
    fetcher, in_progress = fetcher_of(redis, fake_clock)
    fetcher.claim(2)
    in_progress.losses = 1
    with pytest.raises(StoreUnavailable):
        fetcher.claim(1)

    fetcher.give_back_all()

    assert redis.lrange("queue:default", 0, -1) == before
    assert hash_size(redis) == 0


def test_what_is_done_is_not_given_back_though_it_could_not_be_acknowledged(
    redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_bulk([[1], [2]])
    fetcher, _ = fetcher_of(redis, fake_clock)
    fetcher.claim(2)
    fetcher.finish(fetcher.slots[0], fetcher.handoff.take_all()[0], 0.0)

    fetcher.give_back_all()

    assert redis.llen("queue:default") == 1


def test_jobs_that_wait_for_a_thread_and_were_given_to_others_meanwhile_are_not_run_here(
    redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_bulk([[number] for number in range(4)])
    fetcher, in_progress = fetcher_of(redis, fake_clock)
    fetcher.claim(3)
    running, gone, kept = in_progress.all()
    fetcher.handoff.take(fetcher.slots[0])
    in_progress.put_back([Move(gone, "queue", "default", gone.payload)])
    fake_clock.advance(timedelta(seconds=fetcher._options.expires_seconds + 1))  # it was stopped, or cut off

    fetcher.claim(1)

    taken = [fetcher.take(fetcher.slots[0]) for _ in range(2)]
    assert [job and job.payload for job in taken] == [kept.payload, gone.payload]
    assert gone not in fetcher.claims
    assert running in fetcher.claims
