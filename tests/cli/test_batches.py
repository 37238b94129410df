import json
from collections.abc import Callable
from contextlib import suppress

import pytest
from click.testing import Result
from redis import Redis

from clock import Batch, Job
from clock.api import BatchRef, JobRef
from clock.inspection.audit import changes
from tests.worker.conftest import Bench

Clock = Callable[..., Result]


class PickCherryJob(Job):
    def perform(self, tree: int) -> None: ...


class PressJuiceJob(Job):
    def perform(self) -> None: ...


@pytest.fixture
def open_batch(redis: Redis) -> str:
    """A batch of two jobs whose opener failed; one of the jobs was cancelled."""
    batch = Batch(on_complete=PressJuiceJob, description="the harvest")
    with suppress(RuntimeError), batch:
        jids = PickCherryJob.perform_bulk([[1], [2]])
        JobRef(jids[0]).cancel()
        raise RuntimeError
    return batch.bid


def test_batches_are_listed_with_their_progress(clock: Clock, open_batch: str) -> None:
    heading, row = clock("batches").output.splitlines()

    assert heading.split() == ["batch", "state", "jobs", "done", "pending", "failed", "opened", "description"]
    assert row.split()[:6] == [open_batch, "open", "2", "0", "1", "1"]
    assert row.endswith("the harvest")


def test_a_batch_is_shown_with_its_failures(clock: Clock, open_batch: str) -> None:
    shown = clock("batches", open_batch).output
    found = json.loads(clock("batches", open_batch, "--json").output)

    assert shown.startswith(f"{open_batch}: open, 0 of 2 jobs done, 1 pending\nabout: the harvest\n")
    assert [(one["how"], one["class_name"]) for one in found["failures"]] == [("cancelled", "PickCherryJob")]


def test_a_batch_whose_opener_failed_is_sealed_by_hand(clock: Clock, open_batch: str, redis: Redis) -> None:
    assert clock("batches", open_batch, "--seal").output.startswith(f"{open_batch}: sealed\n")

    view = BatchRef(open_batch).view()
    assert view is not None
    assert view.state == "sealed"
    assert [(entry.change.what, entry.change.target) for entry in changes(redis, 10)] == [("seal_batch", view.bid)]


def test_an_unknown_batch_and_a_seal_without_an_id_are_refused(clock: Clock, redis: Redis) -> None:
    unknown, bare = clock("batches", "gone"), clock("batches", "--seal")

    assert (unknown.exit_code, "clock: gone: unknown batch" in unknown.output) == (1, True)
    assert (bare.exit_code, "clock batches BID --seal" in bare.output) == (2, True)
    assert clock("batches").output == "No batches.\n"


def test_a_batch_that_has_ended_is_shown_with_the_times_of_its_callbacks(
    clock: Clock, redis: Redis, bench: Callable[[], Bench]
) -> None:
    with Batch(on_complete=PressJuiceJob, on_success=PressJuiceJob) as batch:
        PickCherryJob.perform_bulk([[1], [2]])
    bench().run_all()

    state, *callbacks = clock("batches", batch.bid).output.splitlines()

    assert state == f"{batch.bid}: done, 2 of 2 jobs done, 0 pending"
    assert sorted(line.partition(": 20")[0] for line in callbacks) == ["complete", "success"]
