"""Two applications in two namespaces of one server: clock, worker and commands of each see only their own."""

from __future__ import annotations

import pytest

from tests.patience import eventually
from tests.process.conftest import App

pytestmark = [pytest.mark.process, pytest.mark.slow]

CLOCK_FILE = """
import os
from clock import every
from jobs.note_job import NoteJob

name = os.environ["CLOCK_NAMESPACE"]
every(1).seconds.named(f"of-{name}").do(NoteJob, name)
"""
NOTE_JOB = """
import os
from pathlib import Path
from clock import Job

class NoteJob(Job):
    def perform(self, name):
        with Path(os.environ["CLOCK_NAMESPACE"]).open("a") as notes:
            notes.write(f"{name}\\n")
"""
NAMES = ("shop", "mail")


def test_two_applications_on_one_server_see_nothing_of_each_other(app: App) -> None:
    app.write("lib/clock.py", CLOCK_FILE)
    app.write("jobs/__init__.py", "")
    app.write("jobs/note_job.py", NOTE_JOB)
    for name in NAMES:
        app.environ["CLOCK_NAMESPACE"] = name
        app.start("worker", "--with-clock", "lib/clock.py")

    def notes(name: str) -> list[str]:
        file = app.folder / name
        return file.read_text().split() if file.exists() else []

    eventually(lambda: all(len(notes(name)) >= 2 for name in NAMES), "two runs of each application")
    status = app.clock("status").stdout
    refused = app.clock("move", "--to-namespace", "post", "--yes")
    ended = [process.end() for process in app.processes]
    moved = app.clock("move", "--to-namespace", "post", "--yes")

    assert ended == [0, 0]
    assert {name: set(notes(name)) for name in NAMES} == {"shop": {"shop"}, "mail": {"mail"}}
    assert "namespace mail" in status
    assert "of-mail" in status
    assert "of-shop" not in status
    assert refused.returncode == 1
    assert "the application runs: " in refused.stderr
    assert moved.returncode == 0, moved.stderr
    assert {key.partition(b":")[0] for key in app.redis().scan_iter()} == {b"{shop}", b"{post}"}
