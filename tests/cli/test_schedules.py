import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from redis import Redis

from clock.cli.timetables import timetable_to_run
from clock.config import Config
from clock.errors import ClockError, ConfigurationError, DeclarationError, NoEvents, ScheduleConflict
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


def test_a_schedule_that_ends_is_stored_and_listed_with_its_end(clock: Command) -> None:
    stored = put(clock, "--cron", "0 7 * * *", "--until", "2000-01-01").output

    assert "It never runs." in stored
    assert "cron 0 7 * * * until 2000-01-01 (UTC)" in clock("schedules", "list").output


@pytest.mark.parametrize("args", ["[" + "9" * 5_000 + "]", "{}"])
def test_arguments_that_are_no_list_are_refused(clock: Command, args: str) -> None:
    with pytest.raises(ConfigurationError, match="it must be a JSON list"):
        put(clock, "--cron", "0 7 * * *", "--args", args)


def test_arguments_nested_too_deeply_are_refused(clock: Command) -> None:
    with pytest.raises(ClockError, match=r"it must be a JSON list|nested too deeply"):  # Python 3.12 reads them
        put(clock, "--cron", "0 7 * * *", "--args", "[" * 5_000 + "]" * 5_000)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nightly", r"lib/clock.py:\d+ declares an event 'nightly': choose another name"),
        ("", "the name of the schedule is ''; it must be a text that is not empty"),
    ],
)
def test_a_name_that_is_taken_or_empty_is_refused(clock: Command, name: str, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        clock("schedules", "put", name, "--job", "ReportAcmeJob", "--args", '["b"]', "--cron", "0 7 * * *")


def test_a_preview_shows_the_schedules_of_the_redis_that_is_named(clock: Command, redis_url: str) -> None:
    put(clock, "--cron", "0 7 * * *")

    assert "acme.report" in clock("preview", "--to", "2d", "--from-redis", redis_url).output
    assert "acme.report" not in clock("preview", "--to", "2d").output


def test_a_check_before_a_deploy_reports_schedules_that_the_new_code_skips(
    clock: Command, application: Path, redis_url: str
) -> None:
    (application / "jobs").mkdir()
    put(clock, "--cron", "0 7 * * *")
    fine = clock("check", "--against", redis_url, "--strict")
    new = FILE.replace("feed)", "feed, kind)").replace('"a")', '"a", "b")')
    (application / "lib" / "clock.py").write_text(new)
    unfit = clock("check", "--against", redis_url, "--strict")
    (application / "lib" / "clock.py").write_text(FILE.replace("nightly", "acme.report"))
    hidden = clock("check", "--against", redis_url, "--strict")

    assert (fine.exit_code, unfit.exit_code, hidden.exit_code) == (0, 1, 1)
    assert "acme.report: this schedule in Redis would never run: 'acme.report'" in " ".join(unfit.output.split())
    assert "cannot take 1 argument" in unfit.output
    assert "the schedule in Redis never runs" in " ".join(hidden.output.split())


def test_a_file_without_events_is_run_if_there_is_a_schedule(clock: Command, application: Path) -> None:
    config = Config(clock_file=application / "lib" / "clock.py", redis=os.environ["REDIS_URL"])
    config.clock_file.write_text("from clock import configure\n")
    with pytest.raises(NoEvents, match="clock schedules put"):
        timetable_to_run(config)

    config.clock_file.write_text(FILE)
    put(clock, "--cron", "0 7 * * *")
    config.clock_file.write_text("from clock import configure\n")

    assert timetable_to_run(config).is_empty


def test_schedules_are_listed_as_a_table_and_as_json(clock: Command) -> None:
    put(clock, "--cron", "0 7 * * *", "--tz", "Europe/Paris")

    heading, row = clock("schedules", "list").output.splitlines()
    [found] = json.loads(clock("schedules", "list", "--json").output)

    assert heading.split() == ["schedule", "version", "when", "job", "args"]
    assert " ".join(row.split()) == 'acme.report 1 cron 0 7 * * * (Europe/Paris) ReportAcmeJob ["b"]'
    assert (found["name"], found["version"], found["cron"]) == ("acme.report", 1, "0 7 * * *")


def test_a_list_without_schedules_names_the_command_that_creates_one(clock: Command) -> None:
    assert "clock schedules put NAME" in clock("schedules", "list").output


def test_a_schedule_is_deleted_by_its_name(clock: Command) -> None:
    put(clock, "--cron", "0 7 * * *")

    with pytest.raises(ClockError, match=r"no schedule is named 'acme\.reprot'\. The schedules are: acme\.report"):
        clock("schedules", "delete", "acme.reprot")
    deleted = clock("schedules", "delete", "acme.report").output

    assert deleted == "Deleted 'acme.report'\n"
    assert clock("schedules", "list", "--json").output == "[]\n"
    with pytest.raises(ClockError, match="The schedules are: none"):
        clock("schedules", "delete", "acme.report")


def test_a_dry_run_shows_the_change_as_text_and_as_json_and_stores_nothing(clock: Command, redis: Redis) -> None:
    words = ("--cron", "0 7 * * *", "--dry-run")

    text = put(clock, *words).output
    found = json.loads(put(clock, *words, "--json").output)

    assert "  cron: 0 7 * * *" in text
    assert text.endswith("Nothing was changed.\n")
    assert (found["schedule"], found["version"], found["dry_run"]) == ("acme.report", None, True)
    assert found["after"]["cron"] == "0 7 * * *"
    assert len(found["next_runs"]) > 1
    assert redis.hlen(keys.SCHEDULES) == 0


def test_a_schedule_that_is_put_again_reports_that_nothing_changes_or_that_it_starts_again(clock: Command) -> None:
    put(clock, "--cron", "0 7 * * *")

    same = put(clock, "--cron", "0 7 * * *").output
    other = put(clock, "--cron", "0 8 * * *").output

    assert "'acme.report' has these fields already" in same
    assert "cron: 0 7 * * * -> 0 8 * * *" in other
    assert "Its timing changes: it starts again" in other


def test_a_job_without_arguments_needs_no_option(clock: Command, application: Path) -> None:
    (application / "lib" / "clock.py").write_text(FILE.replace("feed)", "feed='a')"))

    clock("schedules", "put", "acme.report", "--job", "ReportAcmeJob", "--every", "2h")

    assert "acme.report" in clock("schedules", "list").output
