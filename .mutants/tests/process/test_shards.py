"""Worker processes share the shards among themselves, and a shard whose worker has gone gets another one."""

from __future__ import annotations

import pytest

from tests.patience import eventually
from tests.process.conftest import App

pytestmark = [pytest.mark.process, pytest.mark.slow]

NOTE_JOB = """
from pathlib import Path
from clock import Job

class NoteJob(Job):
    def perform(self, number, more):
        with Path("notes").open("a") as notes:
            notes.write(f"{number}\\n")
        if more:
            NoteJob.perform_async(number + 1000, False)
"""
PUSH = """
from jobs.note_job import NoteJob
NoteJob.perform_bulk([(number, True) for number in range({first}, {first} + 200)])
"""
SERVES = "This worker serves the shard "


def test_processes_share_the_shards_and_move_when_a_worker_has_gone(app: App) -> None:
    app.write("jobs/__init__.py", "")
    app.write("jobs/note_job.py", NOTE_JOB)
    app.environ |= {"CLOCK_NAMESPACE": "shop", "CLOCK_SHARDS": "2", "CLOCK_HEARTBEAT": "0.5"}

    def ran() -> list[int]:
        file = app.folder / "notes"
        return sorted(map(int, file.read_text().split())) if file.exists() else []

    def expected(*firsts: int) -> list[int]:
        numbers = [number for first in firsts for number in range(first, first + 200)]
        return sorted([*numbers, *(number + 1000 for number in numbers)])

    workers = []
    for name in ("shop (1 of 2)", "shop-1 (2 of 2)", "shop (1 of 2)"):
        workers.append(app.start("worker", "-p", "1"))
        workers[-1].wait_for(SERVES + name)
    first, second, third = workers
    assert app.run("-c", PUSH.format(first=0)).returncode == 0
    eventually(lambda: ran() == expected(0), lambda: f"all jobs; {len(ran())} ran")
    status = app.clock("status")
    second.end()
    eventually(lambda: any(f"{SERVES}shop-1" in one.output for one in (first, third)), "a move to shop-1")
    assert app.run("-c", PUSH.format(first=5000)).returncode == 0
    eventually(lambda: ran() == expected(0, 5000), lambda: f"all jobs; {len(ran())} ran")

    assert "shop-1" in status.stdout
    assert status.returncode == 0, status.stdout
    assert [one.end() for one in (first, third)] == [0, 0]


def test_a_burst_empties_all_shards(app: App) -> None:
    app.write("jobs/__init__.py", "")
    app.write("jobs/note_job.py", NOTE_JOB)
    app.environ |= {"CLOCK_NAMESPACE": "shop", "CLOCK_SHARDS": "2"}
    assert app.run("-c", PUSH.format(first=0).replace("True", "False")).returncode == 0

    burst = app.clock("worker", "--burst")

    assert burst.returncode == 0, burst.stdout
    assert sorted(map(int, (app.folder / "notes").read_text().split())) == list(range(200))
