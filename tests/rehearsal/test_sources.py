"""What a rehearsal begins from."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from clock import testing
from clock.errors import ConfigurationError, DeclarationError
from clock.store.ledger import pauses
from clock.store.ledger.pauses import Pause


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a clock file, and with settings that declare an event of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for folder in ("lib", "config", "jobs_of_an_application"):
        (tmp_path / folder).mkdir()
    (tmp_path / "lib" / "clock.py").write_text(
        "from clock import *\nconfigure(tz='UTC')\nevery().day.at('06:00').do(print).named('in.python')\n"
    )
    (tmp_path / "config" / "clock.yml").write_text(
        "require: jobs_of_an_application\n"
        "schedule:\n  in.yaml: {cron: '0 7 * * *', job: SendFromApplicationJob, args: [7]}\n"
    )
    (tmp_path / "jobs_of_an_application" / "send.py").write_text(
        "from clock import Job\n\nclass SendFromApplicationJob(Job):\n    def perform(self, number): ...\n"
    )
    return tmp_path


def test_an_applications_events_in_python_and_in_yaml_are_rehearsed(application: Path) -> None:
    day = datetime(2026, 11, 24, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC)

    history = testing.run(testing.load_application(), start_time=day[0], end_time=day[1])

    assert [at.hour for name in ("in.python", "in.yaml") for at in history.fires(name)] == [6, 7]


def test_a_job_that_is_not_among_the_applications_is_told_with_its_line(application: Path) -> None:
    other = application / "other.yml"
    other.write_text("require: jobs_of_an_application\nschedule:\n  a: {cron: '0 7 * * *', job: NoSuchJob}\n")

    with pytest.raises(DeclarationError, match=r"other\.yml:3: 'a': "):
        testing.load_application(config=other)


def test_a_schedule_file_without_events_for_the_environment_is_named(application: Path) -> None:
    (application / "lib" / "clock.py").unlink()
    (application / "schedule.yml").write_text("production:\n  a: {cron: '0 7 * * *', job: NoSuchJob}\n")
    (application / "config" / "clock.yml").write_text("schedule_file: schedule.yml\n")

    with pytest.raises(ConfigurationError, match=r"schedule\.yml has no events for this environment .*missing"):
        testing.load_application()


def test_a_rehearsal_of_productions_ledger_keeps_its_pauses(redis: Redis, redis_url: str) -> None:
    timetable = testing.loads("from clock import *\nevery().minute.do(print).named('e')\n")
    start = datetime(2026, 11, 24, tzinfo=UTC)
    pauses.pause(redis, "e", Pause(start, note="release"))

    history = testing.run(
        timetable,
        start_time=start,
        end_time=start + timedelta(minutes=5),
        ledger=testing.read_ledger(redis_url),
    )

    assert {decision.kind for decision in history.decisions} == {"paused"}
