from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from redis import Redis

from clock.errors import ScheduleConflict
from clock.store import keys

Command = Callable[..., Result]
FILE = """
from clock import Job, configure, every
class ReportAcmeJob(Job):
    def perform(self, feed): ...
configure(tz="Europe/Berlin")
every().day.at("06:00").named("nightly").do(ReportAcmeJob, "a")
"""


@pytest.fixture(autouse=True)
def clock_file(application: Path) -> None:
    (application / "lib").mkdir()
    (application / "lib" / "clock.py").write_text(FILE)


def put(clock: Command, *words: str) -> Result:
    return clock("schedules", "put", "acme.report", "--job", "ReportAcmeJob", "--args", '["b"]', *words)


@pytest.mark.parametrize("command", ["list", "status"])
def test_a_stored_schedule_is_listed_with_the_events_of_the_file(clock: Command, command: str) -> None:
    put(clock, "--cron", "0 7 * * *")

    shown = clock(command).output

    assert "nightly" in shown
    assert "acme.report" in shown


def test_status_names_a_key_of_schedules_that_has_a_wrong_type(clock: Command, redis: Redis) -> None:
    redis.set(keys.SCHEDULES, "odd")

    shown = clock("status").output

    assert keys.SCHEDULES in shown
    assert "nightly" in shown


def test_a_change_of_another_version_is_refused(clock: Command) -> None:
    put(clock, "--cron", "0 7 * * *")

    with pytest.raises(ScheduleConflict, match="version"):
        put(clock, "--cron", "0 8 * * *", "--version", "7")
