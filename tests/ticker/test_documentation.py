"""The examples in the guide of the clock are what they seem."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from clock import Job
from clock.cli.app import SECTIONS
from clock.timetable import load


class ImportGradesJob(Job):
    def perform(self) -> None: ...


@pytest.fixture
def _jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module that the example imports."""
    module = ModuleType("jobs.import_grades_job")
    module.ImportGradesJob = ImportGradesJob  # type: ignore[attr-defined]  # a module gets it at run time
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("_jobs")
def test_the_python_in_the_guide_is_a_clock_file(repository: Path, tmp_path: Path) -> None:
    [example] = re.findall(r"```python\n(.*?)```", (repository / "docs/clock-process.md").read_text(), re.DOTALL)
    path = tmp_path / "clock.py"
    path.write_text(example)

    timetable = load(path)

    assert timetable.events


def test_every_command_in_the_guide_is_one(repository: Path) -> None:
    commands = re.findall(r"python -m clock ([a-z]+)", (repository / "docs/clock-process.md").read_text())

    known = {name for section in SECTIONS.values() for name in section}
    assert {name for name in commands if name != "lib"} <= known
    assert {"fire", "pause", "resume", "why", "history", "worker"} <= set(commands)
