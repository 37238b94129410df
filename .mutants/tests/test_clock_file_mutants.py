"""The sample's tests catch what goes wrong in clock files: each of these mistakes makes one of them fail."""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests import test_clock_file as rules

pytestmark = pytest.mark.slow

MISTAKES = {
    "a zone an hour away": ("America/Indiana/Indianapolis", "America/Chicago"),
    "UTC": ("America/Indiana/Indianapolis", "UTC"),
    "a zone without summer time": ("America/Indiana/Indianapolis", "EST"),
    "a zone across the sea": ("America/Indiana/Indianapolis", "Europe/Berlin"),
    "the time without its zero": ('at("06:00")', 'at("00:06")'),
    "afternoon": ('at("06:00")', 'at("18:00")'),
    "half past": ('at("06:00")', 'at("06:30")'),
    "a time that is none": ('at("06:00")', 'at("06:60")'),
    "a time that a night skips": ('cron("30 3 * * sun")', 'cron("30 2 * * sun")'),
    "hours that look like days": ('every().day.at("06:00")', "every(24).hours"),
    "a weekday instead of each day": ("every().day.at", "every().monday.at"),
    "every other day": ("every().day.at", "every(2).days.at"),
    "not at weekends": (".do(SendAll", ".if_(lambda due: due.weekday() < 5).do(SendAll"),
    "until the end of the year": (".do(SendAll", '.until("2026-12-31").do(SendAll'),
    "nothing is caught up": (".do(SendAll", '.catch_up("skip").do(SendAll'),
    "everything is caught up": ("configure(tz=", "configure(catch_up_within=timedelta(days=1), tz="),
    "another name": ('"assignment.reminders"', '"assignments.reminders"'),
    "another job": ("do(SendAllAssignmentRemindersJob)", "do(CountOpenAssignmentsJob)"),
    "hours for minutes": ("every(5).minutes", "every(5).hours"),
    "seconds for minutes": ("every(5).minutes", "every(5).seconds"),
    "a zero too many": ("every(5).minutes", "every(50).minutes"),
    "another day of the week": ("* * sun", "* * mon"),
    "every day instead of Sunday": ("* * sun", "* * *"),
    "minute and hour exchanged": ("30 3 * *", "3 13 * *"),
    "fewer days are kept": ("DeleteOldRemindersJob, 90", "DeleteOldRemindersJob, 9"),
    "an argument is forgotten": ("DeleteOldRemindersJob, 90", "DeleteOldRemindersJob"),
    "a wrong period": ("timedelta(hours=1)", "timedelta(hours=2)"),
    "a wrong minute": ('at="**:00"', 'at="**:30"'),
    "midnight alone": ('at="**:00"', 'at="00:00"'),
    "an event twice": ("every(5).minutes", 'every().day.at("05:30").do(print)\nevery(5).minutes'),
}


def the_samples_tests() -> Iterator[Callable[[], object]]:
    """The sample's tests, each with all its parameters; the snapshot would catch anything, and is left out."""
    for name, test in inspect.getmembers(rules, inspect.isfunction):
        if not name.startswith("test_") or "caplog" in inspect.signature(test).parameters or "january" in name:
            continue
        marks = getattr(test, "pytestmark", [])
        values = marks[0].args[1] if marks else [None]
        for value in values:
            yield test if value is None else partial(test, value)


def fails(test: Callable[[], object]) -> bool:
    try:
        test()
    except (Exception, pytest.fail.Exception):  # noqa: BLE001  # a test fails by whatever it raises
        return True
    return False


def test_the_clock_file_itself_passes_them_all() -> None:
    assert not any(map(fails, the_samples_tests()))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_caught(mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong = MISTAKES[mistake]
    text = rules.CLOCK_FILE.read_text()
    assert right in text, "the mistake is still one"
    mutant = tmp_path / "clock.py"
    mutant.write_text(text.replace(right, wrong))
    monkeypatch.setattr(rules, "CLOCK_FILE", mutant)

    assert any(map(fails, the_samples_tests()))
