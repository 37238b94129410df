"""The user's code under fake time: all ways to ask for the time agree with the due instant."""

import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import freezegun
import pytest
import time_machine

from clock import testing
from clock.errors import ConfigurationError
from clock.rehearsal import frozen_time

START = datetime(2030, 5, 1, tzinfo=UTC)
CLOCK_FILE = """
import datetime, time
from clock import configure, every, on
configure(tz="UTC")
seen = []

def look(due=None):
    seen.append((due, datetime.datetime.now(datetime.UTC), time.time(), datetime.date.today()))
    return True

every().day.at("06:00").if_(look).do(look).named("daily")

@on("before_run")
def before(event, due):
    look(due)
"""


def seen_by(file: Path, *, execute: bool = False) -> list[tuple[datetime | None, datetime, float, date]]:
    """What the clock file's code was told of the time."""
    timetable = testing.load(file)
    testing.run(timetable, start_time=START, end_time=START + timedelta(days=3), execute=execute)
    condition = timetable.event("daily").condition
    assert condition is not None
    seen: list[tuple[datetime | None, datetime, float, date]] = condition.__globals__["seen"]
    return seen


@pytest.fixture
def clock_file(tmp_path: Path) -> Path:
    path = tmp_path / "clock.py"
    path.write_text(CLOCK_FILE)
    return path


def assert_all_agree(seen: list[tuple[datetime | None, datetime, float, date]], *, calls: int) -> None:
    assert len(seen) == calls
    for _, now, seconds, today in seen:
        assert (now.hour, now.minute, now.year) == (6, 0, 2030)
        assert now.timestamp() == seconds
        assert today == now.date()
    assert all(due == now for due, now, _, _ in seen if due is not None)


def test_conditions_callbacks_and_actions_see_the_due_instant(clock_file: Path) -> None:
    before = datetime.now(UTC)

    seen = seen_by(clock_file, execute=True)

    assert_all_agree(seen, calls=9)
    assert before <= datetime.now(UTC) < before + timedelta(hours=1), "the world has its own time back"


def test_conditions_and_callbacks_run_where_actions_do_not(clock_file: Path) -> None:
    assert_all_agree(seen_by(clock_file), calls=6)


def test_a_test_that_has_frozen_time_with_freezegun_keeps_its_time(clock_file: Path) -> None:
    with freezegun.freeze_time("2024-02-29 12:00:00"):
        assert_all_agree(seen_by(clock_file, execute=True), calls=9)

        assert datetime.now(UTC) == datetime(2024, 2, 29, 12, tzinfo=UTC)
        assert time.time() == datetime(2024, 2, 29, 12, tzinfo=UTC).timestamp()


def test_a_test_that_travels_with_time_machine_keeps_its_time(clock_file: Path) -> None:
    with time_machine.travel(datetime(2024, 2, 29, 12, tzinfo=UTC), tick=False):
        assert_all_agree(seen_by(clock_file, execute=True), calls=9)

        assert datetime.now(UTC) == datetime(2024, 2, 29, 12, tzinfo=UTC)


def test_a_pushed_job_is_stamped_with_the_due_instant(tmp_path: Path) -> None:
    path = tmp_path / "clock.py"
    path.write_text(
        "from clock import configure, every\n"
        "from tests.testing.jobs import CountVisitsJob\n"
        "configure(tz='UTC')\n"
        "every().day.at('06:00').do(CountVisitsJob).named('now')\n"
        "every().day.at('06:00').do(lambda: CountVisitsJob.perform_in(60, 'later')).named('later')\n"
    )
    job = testing.load(path).event("now").action.job  # type: ignore[union-attr]  # it enqueues

    history = testing.run(path, start_time=START, end_time=START + timedelta(days=1), execute=True)

    due = START + timedelta(hours=6)
    now, later = history.enqueued(job)
    assert now.payload["created_at"] == due.timestamp()
    assert (later.args, later.at) == (["later"], due + timedelta(minutes=1))


def test_without_the_extra_the_error_says_what_to_install(
    clock_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_time, "time_machine", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'clockd\[testing\]'"):
        seen_by(clock_file)


def test_without_the_extra_a_file_without_code_of_the_users_is_rehearsed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_time, "time_machine", None)
    path = tmp_path / "clock.py"
    path.write_text("from clock import every\nevery().day.at('06:00').do(print).named('daily')\n")

    history = testing.run(path, start_time=START, end_time=START + timedelta(days=2))

    assert history.times_run("daily") == 2
    assert "time_machine" in sys.modules
