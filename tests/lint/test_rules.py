"""What may be wrong with a clock file, with dates."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clock import testing
from clock.lint.dst_hazards import hazards_of
from clock.lint.finding import Finding, Look
from clock.lint.rules import differs, findings
from clock.timetable import load
from clock.timetable.triggers.wall_times import Dst

START = datetime(2026, 1, 1, tzinfo=UTC)
HEAD = """
from datetime import date, datetime, timedelta
import time
from clock import Job, configure, cron, every
from tests.testing.jobs import CountVisitsJob, SendReportJob
configure(tz="America/New_York")
"""


def found(*lines: str, queues: list[str] | None = None) -> list[Finding]:
    """The findings in a clock file of these lines."""
    return findings(Look(testing.loads(HEAD + "\n".join(lines)), START, queues))


def texts(rule: str, *lines: str, queues: list[str] | None = None) -> list[str]:
    return [finding.text for finding in found(*lines, queues=queues) if finding.rule == rule]


def test_a_sound_file_has_none() -> None:
    assert found('every().day.at("06:00").do(CountVisitsJob).named("daily")') == []


def test_a_time_that_spring_skips_is_warned_of_for_three_years_with_what_happens() -> None:
    assert texts("dst", 'every().day.at("02:30").do(print).named("nightly")') == [
        "02:30 is skipped on Sun 08 Mar 2026: it runs at 03:00 instead",
        "02:30 is skipped on Sun 14 Mar 2027: it runs at 03:00 instead",
        "02:30 is skipped on Sun 12 Mar 2028: it runs at 03:00 instead",
    ]


def test_a_time_that_autumn_has_twice_is_warned_of() -> None:
    [first, *_] = texts("dst", 'every().day.at("01:30").do(print).named("nightly")')

    assert first == "01:30 occurs twice on Sun 01 Nov 2026: it runs once, at the first of them"


def test_an_hour_before_midnight_that_occurs_twice_is_that_of_the_day_that_ends() -> None:
    [first, *_] = texts("dst", 'every().day.at("23:30", "America/Santiago").do(print).named("nightly")')

    assert first == "23:30 occurs twice on Sat 04 Apr 2026: it runs once, at the first of them"


@pytest.mark.parametrize(
    ("at", "choice", "told"),
    [
        ("02:30", Dst(gap="skip"), "02:30 is skipped on Sun 08 Mar 2026: it does not run"),
        ("01:30", Dst(fold="both"), "01:30 occurs twice on Sun 01 Nov 2026: it runs both times"),
        (
            "01:30",
            Dst(fold="second"),
            "01:30 occurs twice on Sun 01 Nov 2026: it runs once, at the second of them",
        ),
    ],
)
def test_the_rule_that_was_chosen_is_the_one_that_is_told(at: str, choice: Dst, told: str) -> None:
    [event] = testing.loads(HEAD + f'every().day.at("{at}").do(print).named("nightly")').events
    chosen = replace(event, trigger=replace(event.trigger, dst=choice))  # type: ignore[type-var]  # a dataclass

    assert next(hazards_of(chosen, START, START + timedelta(days=365))).text == told


def test_cron_and_clockworks_form_are_looked_into_as_well() -> None:
    for line in ('cron("30 2 * * *").do(print)', 'every(timedelta(days=1), "nightly", at="02:30")(print)'):
        assert texts("dst", line)[0] == "02:30 is skipped on Sun 08 Mar 2026: it runs at 03:00 instead"


@pytest.mark.parametrize(
    "line",
    [
        'every(30).minutes.do(print).named("half.hourly")',
        'every().hour.at(":30").do(print).named("hourly")',
        'cron("*/10 * * * *").do(print).named("often")',
        'every().day.at("02:30", "UTC").do(print).named("utc")',
        'every().sunday.at("04:30").do(print).named("weekly")',
    ],
)
def test_what_no_night_harms_is_not_warned_of(line: str) -> None:
    assert texts("dst", line) == []


def test_an_event_that_never_fires_is_warned_of() -> None:
    assert texts("never", 'every().day.at("06:00").until("2020-01-01").do(print).named("over")') == [
        "it never runs"
    ]


def test_an_event_that_does_not_fire_for_years_is_warned_of_with_the_date() -> None:
    assert texts("never", 'cron("0 0 29 2 *").do(print).named("leap")') == [
        "it does not run before Tue 29 Feb 2028"
    ]


def test_events_at_one_instant_are_told_with_the_first_date() -> None:
    [text] = texts(
        "together",
        'every().day.at("06:00").do(print).named("daily")',
        'every().monday.at("06:00").do(print).named("weekly")',
        'every(5).minutes.do(print).named("often")',
    )

    assert text == "it runs together with 'weekly': 4 times in 30 days, first Mon 05 Jan 2026 06:00"


def test_events_that_run_together_once_are_said_to_do_so_once() -> None:
    [text] = texts(
        "together",
        'every().day.at("06:00").do(print).named("daily")',
        'cron("0 6 6 1 *").do(print).named("yearly")',
    )

    assert text == "it runs together with 'yearly': once in 30 days, Tue 06 Jan 2026 06:00"


def test_a_herd_on_the_hour_is_told() -> None:
    hourly = [f'cron("0 * * * *").do(print).named("hourly.{number}")' for number in range(4)]

    [text] = texts("thundering", *hourly)
    assert text.startswith("4 events run on the hour at Wed 31 Dec 2025 20:00")
    assert texts("thundering", *hourly[:3]) == []


def test_an_interval_that_looks_like_a_time_of_day_is_told() -> None:
    [text] = texts("elapsed", 'every(24).hours.do(print).named("daily")')

    assert text.startswith("every 24 hours is elapsed time: from Sun 08 Mar 2026 on")
    assert texts("elapsed", 'every(6).hours.do(print).named("often")') == []


def test_a_zone_that_is_an_offset_is_told_with_the_place_that_may_be_meant() -> None:
    [text] = texts("zone", 'every().day.at("06:00", "EST").do(print).named("daily")')

    assert text.endswith("did you mean 'America/New_York'?")
    assert texts("zone", 'every().day.at("06:00", "Asia/Tokyo").do(print).named("daily")') == []


@pytest.mark.parametrize("call", ["datetime.now().day == 1", "date.today().day == 1", "time.time() > 0"])
def test_a_condition_that_reads_the_real_time_is_told(call: str) -> None:
    [text] = texts("if", f'every().day.at("06:00").if_(lambda due: {call}).do(print).named("daily")')

    assert call.split("(")[0] in text


def test_a_condition_that_looks_at_the_due_instant_is_sound() -> None:
    assert texts("if", 'every().day.at("06:00").if_(lambda due: due.day == 1).do(print).named("daily")') == []


def test_a_queue_that_no_worker_takes_is_told() -> None:
    lines = (
        'every().day.at("06:00").do(CountVisitsJob).named("low")',
        'every().day.at("07:00").do(SendReportJob.set(queue="mail"), "x").named("mail")',
    )

    [text] = texts("queue", *lines, queues=["default", "low"])
    assert text == (
        "its job goes to the queue 'mail', but workers with these settings process only default, low; "
        "add it to the setting queues, or start a worker with -q mail"
    )
    assert texts("queue", *lines) == [], "a rule of one event knows nothing of the workers"


def test_a_job_without_a_jobs_name_is_told() -> None:
    [text] = texts(
        "name",
        "class Cleaner(Job):\n    def perform(self): ...",
        'every().day.at("06:00").do(Cleaner).named("daily")',
    )

    assert text.startswith("Cleaner does not end in Job; name jobs VerbNounsJob")


def test_a_file_without_events_is_told_to_have_none() -> None:
    [finding] = found()

    assert (finding.level, finding.rule) == ("error", "empty")
    assert finding.text.startswith("No events found")


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        (
            "*/90 * * * *",
            "'*/90' is minute 0 alone, because the step is larger than the field; every 90 minutes is every(90)",
        ),
        ("30/60 * * * *", "'30/60' is minute 30 alone"),
        ("0 */36 * * *", "'*/36' is hour 0 alone, because the step is larger than the field"),
        ("0 0 */45 * *", "'*/45' is day of month 1 alone"),
    ],
)
def test_a_step_larger_than_its_field_is_warned_of(expression: str, told: str) -> None:
    [text] = texts("step", f'cron("{expression}").do(print).named("odd")')

    assert told in text


def test_steps_within_their_fields_are_fine() -> None:
    assert texts("step", 'cron("*/40 */23 */2 */6 */3").do(print).named("even")') == []


@pytest.mark.parametrize("weekday", ["2", "2#1", "6L", "2-6", "MON,3"])
def test_a_weekday_number_of_an_expression_that_may_be_from_quartz_is_warned_of(weekday: str) -> None:
    [text] = texts("weekday", f'cron("0 0 12 ? * {weekday}").do(print).named("odd")')

    assert "Monday is 1 here, and 2 in Quartz" in text


@pytest.mark.parametrize(
    "expression", ["0 0 12 ? * MON#1", "0 0 12 1 * ?", "0 12 * * 2", "0 12 ? * ?", "0 0 12 ? * fri/2"]
)
def test_other_weekdays_are_not_warned_of(expression: str) -> None:
    assert texts("weekday", f'cron("{expression}").do(print).named("odd")') == []


HOLIDAYS = "HOLIDAYS = {date(2026, 12, 25), date(2026, 1, 1)}"


def test_a_holiday_that_moves_an_event_to_a_day_its_rule_excludes_is_warned_of() -> None:
    line = 'cron("0 9 * * mon-fri").except_on(HOLIDAYS, otherwise="next").do(print).named("pay")'

    [text] = texts("moved", HOLIDAYS, line)

    assert text.startswith(
        "except_on moves it to Saturday 26 Dec 2026, a weekday on which its own rule never runs it"
    )


@pytest.mark.parametrize(
    "declared",
    [
        'every().weekday.at("09:00").except_on(HOLIDAYS, otherwise="next")',
        'every().day.at("09:00").except_on(HOLIDAYS, otherwise="next")',
        'every().friday.at("09:00").except_on(HOLIDAYS, otherwise="next")',
        'cron("0 9 * * mon-fri").except_on(HOLIDAYS)',
    ],
)
def test_a_holiday_that_is_skipped_or_moved_within_the_rule_is_fine(declared: str) -> None:
    assert texts("moved", HOLIDAYS, f'{declared}.do(print).named("pay")') == []


def test_a_condition_that_is_never_true_in_a_year_is_warned_of() -> None:
    line = 'every().day.at("06:00").if_(lambda due: due.day == 30 and due.month == 2).do(print).named("never")'

    assert texts("if", line) == ["its condition is false at each of its next 366 due instants: it never runs"]


@pytest.mark.parametrize(
    "condition",
    [
        "lambda due: due.day == 31",
        "lambda due: open('x', 'w')",
        "lambda due: time.time() < 0",
        "lambda due: __import__('os').environ['ONLY_IN_PRODUCTION']",
        "lambda due: __import__('os').getenv('ONLY_IN_PRODUCTION') == '1'",
        "lambda due: {}['ONLY_IN_PRODUCTION']",
        "lambda due: next(iter(())) or 'as a driver without its server raises'",
    ],
)
def test_a_condition_that_is_true_once_or_cannot_be_tried_is_fine(condition: str) -> None:
    found = texts("if", f'every().day.at("06:00").if_({condition}).do(print).named("some")')

    assert not any("condition is false" in text or "condition failed" in text for text in found)


@pytest.mark.parametrize(
    ("condition", "error"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("exit(3)", "SystemExit: 3"),
        ("due.dya == 1", "AttributeError: 'datetime.datetime' object has no attribute 'dya'"),
    ],
)
def test_a_condition_that_raises_is_warned_of(condition: str, error: str) -> None:
    line = f'every().day.at("06:00").if_(lambda due: {condition}).do(print).named("broken")'

    assert texts("if", line) == [f"its condition failed at its next due instant: {error}"]


def test_a_condition_of_clockworks_form_is_tried_at_each_instant_at_which_the_clock_asks() -> None:
    lines = (
        'every(2_629_746, "monthly", at="00:05", if_=lambda due: due.day == 1)(print)',
        'every(86_400, "office hours", if_=lambda due: 9 <= due.hour < 17)(print)',
        'every(86_400, "never", at="00:05", if_=lambda due: due.day == 35)(print)',
    )

    refused = [finding.event for finding in found(*lines) if "condition is false" in finding.text]

    assert refused == ["never"]


@pytest.mark.parametrize(
    "reach",
    [
        'open("flag", "a")',
        'os.remove("flag")',
        'sqlite3.connect("flag")',
        'socket.create_connection(("127.0.0.1", 9), 1)',
        pytest.param('subprocess.run(["touch", "flag"])', marks=pytest.mark.process),
        'os.system("touch flag")',
    ],
)
def test_a_condition_that_reaches_outside_is_stopped_there_and_not_judged(
    reach: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    condition = f"""
import os, socket, sqlite3, subprocess
def refuses(due):
    try:
        {reach}
    except OSError:
        pass
"""

    found = texts("if", condition, 'every().day.at("06:00").if_(refuses).do(print).named("some")')

    assert found == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_condition_that_takes_long_ends_the_trial_and_not_the_users_patience() -> None:
    slow = "def slow(due): threading.Event().wait(0.1)"

    found = texts("if", "import threading", slow, 'every().minute.if_(slow).do(print).named("some")')

    assert found == []


def test_an_event_that_two_loads_declare_in_two_ways_is_warned_of() -> None:
    first = testing.loads(HEAD + 'cron("5 3 * * *").do(print).named("drawn")\nevery().day.do(print).named("same")')
    second = testing.loads(
        HEAD + 'cron("9 3 * * *").do(print).named("drawn")\nevery().day.do(print).named("same")'
    )

    [finding] = differs(first, second)

    assert finding.event == "drawn"
    assert "two loads of the file differ: 'cron 5 3 * * * in America/New_York' and 'cron 9 3" in finding.text
    assert list(differs(first, first)) == []


def test_of_many_events_that_fire_together_a_few_are_named() -> None:
    [text] = texts("together", *(f'every().day.at("06:00").do(print).named("event {n}")' for n in range(40)))

    assert "'event 1', 'event 2', 'event 3', 'event 4', 'event 5' and 34 others: " in text


@pytest.mark.parametrize(
    "function",
    [
        "lambda: asyncio.create_task(print())",
        "lambda: asyncio.ensure_future(print())",
        "lambda: asyncio.get_event_loop().create_task(print())",
        "start_task",
    ],
)
def test_a_function_that_starts_a_task_without_an_event_loop_is_warned_of(function: str) -> None:
    lines = "import asyncio", "def start_task(): asyncio.get_running_loop().create_task(print())"

    [text] = texts("loop", *lines, f'every().day.do({function}).named("task")')

    assert text.endswith("use asyncio.run(work()), or a job with async def perform")


def test_a_function_that_runs_an_event_loop_may_start_tasks() -> None:
    lines = (
        "import asyncio",
        "async def work(): asyncio.create_task(asyncio.sleep(0))",
        'every().day.do(lambda: asyncio.run(work())).named("run")',
        "def run_both():",
        "    with asyncio.Runner() as runner: runner.run(asyncio.ensure_future(work()))",
        'every().day.do(run_both).named("runner")',
    )

    assert texts("loop", *lines) == []


@pytest.mark.parametrize(
    ("declared", "instead"),
    [
        ('SendReportJob.perform_async, "x"', "SendReportJob, 'x'"),
        ('SendReportJob.perform_in, 60, "x"', "SendReportJob, 'x'"),
        ('SendReportJob.set(queue="mail").perform_async, "x"', "SendReportJob.set(queue='mail'), 'x'"),
        ('partial(SendReportJob.perform_async, "x")', "SendReportJob, 'x'"),
        ("CountVisitsJob.perform_async", "CountVisitsJob"),
        ("send_celery_report.delay, 7", "send_celery_report, 7"),
        ("send_celery_report.apply_async, [7]", "send_celery_report, 7"),
        ("send_celery_report.apply_async, args=(7,)", "send_celery_report, 7"),
    ],
)
def test_a_pushing_method_instead_of_the_job_is_warned_of_with_the_right_form(declared: str, instead: str) -> None:
    lines = (
        "from functools import partial",
        "from clock.contrib.celery_names import shared_task",
        "@shared_task\ndef send_celery_report(number): ...",
    )

    [text] = texts("push", *lines, f'every().day.at("06:00").do({declared}).named("report")')

    assert text.endswith(
        f" is a function for the clock, so the job's arguments and queue are not checked here; write do({instead})"
    )


@pytest.mark.parametrize("declared", ['SendReportJob, "x"', "CountVisitsJob.perform_bulk, [[]]", "print"])
def test_jobs_bulk_pushes_and_other_functions_are_fine(declared: str) -> None:
    assert texts("push", f'every().day.at("06:00").do({declared}).named("report")') == []


def test_the_same_declaration_twice_is_warned_of_with_both_lines() -> None:
    line = 'every(10).minutes.do(SendReportJob, "x")'

    [finding] = [finding for finding in found(line, line) if finding.rule == "twice"]

    first, second = finding.text.split("; ")
    assert first.startswith("it repeats the event of ")
    assert first.endswith(":7, so its action runs twice at each due instant")
    assert second == "remove one of them, or give each a name: .named(...)"
    assert finding.source.endswith(":8")


def test_declarations_that_differ_or_have_names_are_not_repeated() -> None:
    line = 'every(10).minutes.do(SendReportJob, "x")'
    tuesday = ".if_(lambda due: due.day == 2)"

    assert texts("twice", f'{line}.named("one")', f'{line}.named("two")') == []
    assert texts("twice", line, line.replace("10", "20"), line.replace('"x"', '"y"')) == []
    assert texts("twice", line, f"{line}{tuesday}") == []
    assert texts("twice", "for n in range(2): every(10).minutes.do(lambda: print(n))") == []


def test_work_in_the_files_own_loop_is_warned_of_as_the_clock_does_not_run_it(tmp_path: Path) -> None:
    file = tmp_path / "clock.py"
    file.write_text(
        "import requests_of_shop\nimport schedule, time\nschedule.every().day.do(print)\n"
        "while True:\n    schedule.run_pending()\n    requests_of_shop.ping()\n    time.sleep(1)\n"
    )
    (tmp_path / "requests_of_shop.py").write_text("def ping(): ...\n")

    [finding] = [one for one in findings(Look(load(file), START, None)) if one.rule == "loading"]

    assert finding.text == (
        "the clock does not run the file's own loop, so it does not run requests_of_shop.ping(): make it an event"
    )
