"""The guides to the clock file: each block of them that is ours is loaded, as it stands."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clock.config import load_config
from clock.job.registry import forget, lookup
from clock.timetable import load
from clock.timetable.explanation import explain

GUIDES = ("clock-file.md", "time.md", "from-clockwork.md", "from-schedule.md", "from-celery-beat.md")
DOCS = Path(__file__).parent.parent / "docs"
_BLOCK = re.compile(r"^```(?P<language>python|yaml)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)

JOB = """
from clock import Job

class SendMailJob(Job):
    def perform(self, template, when=None): ...
"""


def blocks(language: str) -> list[object]:
    """The blocks of a language, each Python one with the imports that its guide begins with."""
    found: list[object] = []
    for guide in GUIDES:
        text = (DOCS / guide).read_text()
        head = ""
        for block in _BLOCK.finditer(text):
            if block["language"] != language:
                continue
            line = text[: block.start()].count("\n") + 1
            head = head or (block["code"] if (guide, language) == ("clock-file.md", "python") else "\n")
            found.append(pytest.param(head + block["code"], id=f"{guide}:{line}"))
    return found


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The application that the guides speak of."""
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "__init__.py").touch()
    (tmp_path / "jobs" / "send_mail_job.py").write_text(JOB)
    (tmp_path / "lib").mkdir()
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "jobs"}
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.chdir(tmp_path)
    job = importlib.import_module("jobs.send_mail_job").SendMailJob
    yield tmp_path
    forget(job)
    for name in list(sys.modules):
        if name.partition(".")[0] == "jobs":
            del sys.modules[name]
    sys.modules.update(kept)


@pytest.mark.parametrize("code", blocks("python"))
def test_a_block_of_a_guide_is_a_clock_file(application: Path, code: str) -> None:
    path = application / "lib" / "clock.py"
    path.write_text(code)

    timetable = load(path)

    assert all(explain(event) for event in timetable.events)
    assert (
        timetable.events or timetable.synced or not re.search(r"^(every|cron|sync_events)\(", code, re.MULTILINE)
    )


@pytest.mark.parametrize("text", blocks("yaml"))
def test_a_block_of_yaml_declares_events(application: Path, text: str) -> None:
    (application / "schedule.yml").write_text(text)
    config = load_config({}, environ={"CLOCK_SCHEDULE_FILE": "schedule.yml"})

    timetable = load("lib/clock.py", declared=config.schedule, find_job=lookup)

    assert timetable.events
