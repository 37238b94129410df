import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from click.testing import Result
from redis import Redis

from clock import Batch, Job, Unique
from clock.api import BatchRef, JobRef, Limits
from clock.clocks import SystemClock
from clock.errors import JobError
from clock.inspection.audit import changes
from clock.inspection.jobs.limits import delete_blocked
from clock.store.jobs.in_progress import InProgress
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


@pytest.fixture
def busy(redis: Redis) -> None:
    """A limit of 1 with a holder and two blocked jobs."""
    rules = {"limits": [{"name": "crm", "max": 1}]}
    for jid in ("a", "b", "c"):
        redis.lpush("queue:default", json.dumps({"class": "SyncJob", "args": [], "jid": jid, **rules}))
    worker = InProgress(redis, "host:1:abc")
    worker.claim(["default"], 3, done=(), now=SystemClock().now(), expires_seconds=60.0)


@pytest.mark.usefixtures("busy")
def test_the_limits_are_listed_and_their_jobs_shown(clock: Clock) -> None:
    view = {"name": "crm", "maximum": 1, "holders": 1, "blocked": 2, "is_set": False, "oldest_at": None}

    assert json.loads(clock("limits", "list", "--json").output) == [view]
    assert clock("limits").output.splitlines()[1].split() == ["crm", "1", "1", "2"]
    shown = json.loads(clock("limits", "show", "crm", "--json").output)
    assert [one["jid"] for one in shown["holders"]] == ["a"]
    assert [one["jid"] for one in shown["blocked"]] == ["b", "c"]


@pytest.mark.usefixtures("busy")
def test_a_maximum_is_set_and_reset_at_run_time(clock: Clock, redis: Redis) -> None:
    assert (
        clock("limits", "set", "crm", "2").output == "crm: at most 2 jobs at a time; 1 blocked jobs can run now\n"
    )
    assert redis.zcard("clock:blocked") == 1
    assert json.loads(clock("limits", "list", "--json").output)[0]["is_set"]

    clock("limits", "reset", "crm")

    assert redis.hgetall("clock:limits") == {}
    assert redis.zcard("clock:blocked") == 1
    assert clock("limits", "set", "crm", "-1").exit_code == 2


@pytest.mark.usefixtures("busy")
def test_the_deep_check_names_a_holder_without_a_job_and_frees_its_place(clock: Clock, redis: Redis) -> None:
    assert "each holder has its job" in clock("doctor", "--deep").output
    redis.delete("clock:in_progress:host:1:abc")

    assert "crm: the worker host:1:abc holds 1 and has 0 such jobs in progress" in " ".join(
        clock("doctor", "--deep").output.split()
    )
    assert "Places of limits without a job freed: 1" in clock("doctor", "--deep", "--repair", "--yes").output
    assert redis.zcard("clock:freed") == 1


@pytest.mark.usefixtures("busy")
def test_a_blocked_job_is_found_and_cancelled(redis: Redis) -> None:
    job = JobRef("b", redis=redis)
    located = job.locate()
    assert located is not None
    assert (located.state, located.where) == ("blocked", "crm")

    assert job.cancel()

    assert redis.zcard("clock:blocked") == 1
    assert job.locate() is None


@pytest.mark.usefixtures("busy")
def test_a_program_lists_limits_and_sets_their_maximum(redis: Redis) -> None:
    limits = Limits(redis=redis)

    assert limits.set_maximum("crm", 2) == 1
    [view] = limits.current()
    assert (view.name, view.maximum, view.holders, view.blocked, view.is_set) == ("crm", 2, 2, 1, True)
    assert limits.reset("crm") == 0
    [view] = asyncio.run(limits.acurrent())
    assert (view.maximum, view.is_set) == (1, False)
    with pytest.raises(JobError, match="maximum is -1; it must be a whole number, 0 to"):
        limits.set_maximum("crm", -1)


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("words", [("show", "crmm"), ("set", "crmm", "1")])
def test_for_an_unknown_name_the_limits_in_use_are_named(clock: Clock, words: tuple[str, ...]) -> None:
    assert "Limits in use: crm\n" in clock("limits", *words).output


@pytest.mark.parametrize("name", ["", "crm\nmail"])
def test_a_maximum_is_set_for_a_valid_name_only(clock: Clock, redis: Redis, name: str) -> None:
    result = clock("limits", "set", name, "5")

    assert result.exit_code == 2
    assert f"Error: Limit: the name is {name!r}; it must be a text of 1 to" in result.output.splitlines()[-1]
    with pytest.raises(JobError, match="it must be a text of 1 to 200"):
        Limits(redis=redis).set_maximum(name, 5)
    assert redis.exists("clock:limits") == 0


def test_the_jobs_of_a_worker_are_read_once_for_all_limits(clock: Clock, redis: Redis) -> None:
    for number in range(40):
        rules = {"limits": [{"name": f"crm:{number}", "max": number + 1}]}
        redis.lpush("queue:default", json.dumps({"class": "SyncJob", "args": ["x" * 99], "jid": "a", **rules}))
    worker = InProgress(redis, "host:1:abc")
    worker.claim(["default"], 40, done=(), now=SystemClock().now(), expires_seconds=60.0)
    redis.config_resetstat()

    rows = json.loads(clock("limits", "list", "--json").output)

    assert {row["name"]: row["maximum"] for row in rows} == {f"crm:{n}": n + 1 for n in range(40)}
    calls: Any = redis.info("commandstats")
    assert calls["cmdstat_hscan"]["calls"] <= 8


@pytest.mark.usefixtures("busy")
def test_limits_are_listed_although_a_worker_has_no_hash_of_jobs(clock: Clock, redis: Redis) -> None:
    redis.delete("clock:blocked")
    redis.set("clock:in_progress:host:1:abc", "x")

    assert clock("limits").output.splitlines()[1].split() == ["crm", "?", "1", "0"]
    assert clock("limits", "show", "crm").exit_code == 0


@pytest.mark.usefixtures("busy")
def test_the_jobs_of_a_limit_are_shown_as_a_table(clock: Clock) -> None:
    heading, *rows = clock("limits", "show", "crm").output.splitlines()

    assert heading.split() == ["job", "jid", "where"]
    assert [" ".join(row.split()) for row in rows] == [
        "holds a place a host:1:abc#1",
        "is blocked b SyncJob, queue default",
        "is blocked c SyncJob, queue default",
    ]


def test_a_redis_without_limits_has_none_to_list(clock: Clock) -> None:
    assert clock("limits").output == "No limits are in use.\n"


@pytest.mark.usefixtures("busy")
def test_the_deep_check_names_a_limit_with_a_free_place_and_blocked_jobs(clock: Clock, redis: Redis) -> None:
    redis.hset("clock:limits", "crm", 3)

    shown = " ".join(clock("doctor", "--deep").output.split())

    assert "crm has 1 of 3 holders, but 2 jobs are blocked" in shown


def test_the_deep_check_names_the_fault_of_a_limit_once_if_blocked_is_its_name(clock: Clock, redis: Redis) -> None:
    rules = {"limits": [{"name": "blocked", "max": 1}]}
    redis.lpush("queue:default", json.dumps({"class": "SyncJob", "args": [], "jid": "a", **rules}))
    worker = InProgress(redis, "host:1:abc")
    worker.claim(["default"], 1, done=(), now=SystemClock().now(), expires_seconds=60.0)
    redis.delete("clock:in_progress:host:1:abc")

    shown = " ".join(clock("doctor", "--deep").output.split())

    assert shown.count("blocked: the worker host:1:abc holds 1") == 1


@pytest.mark.usefixtures("busy")
def test_a_job_that_is_not_blocked_is_not_deleted_as_one(redis: Redis) -> None:
    assert not delete_blocked(redis, "a")


class PolishShoesJob(Job):
    unique = True

    def perform(self, pair: int) -> None: ...


def test_locks_are_listed_the_oldest_first(clock: Clock, redis: Redis) -> None:
    assert clock("unique", "list").output == "No locks.\n"
    first = PolishShoesJob.perform_async(1)
    second = PolishShoesJob.set(unique=Unique(window=60)).perform_async(2)

    found = json.loads(clock("unique", "list", "--json").output)
    heading, row, *_ = clock("unique", "list").output.splitlines()

    assert {one["jid"]: one["until"] is None for one in found} == {first: True, second: False}
    assert heading.split() == ["key", "jid", "since", "until"]
    assert row.split()[:2] == [found[0]["key"], found[0]["jid"]]


def test_a_lock_is_freed_by_hand(clock: Clock, redis: Redis) -> None:
    first = PolishShoesJob.perform_async(1)
    [lock] = json.loads(clock("unique", "list", "--json").output)

    assert clock("unique", "free", lock["key"], "--yes").exit_code == 0
    assert clock("unique", "free", lock["key"], "--yes").exit_code == 1
    assert PolishShoesJob.perform_async(1) != first
