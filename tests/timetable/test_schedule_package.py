"""A clock file may say `import schedule` and nothing of ours."""

import re
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import schedule

from clock.errors import DeclarationError
from clock.timetable import Timetable, load
from clock.timetable.clock_file.schedule_package import cancels
from tests.timetable import jobs

Load = Callable[[str], Timetable]


@pytest.fixture
def load_plain(tmp_path: Path) -> Load:
    """Load a clock file of these lines, and no others."""

    def load_file(lines: str) -> Timetable:
        path = tmp_path / "clock.py"
        path.write_text(lines)
        return load(path)

    return load_file


def names(timetable: Timetable) -> list[str]:
    return [event.name for event in timetable.events]


def test_a_script_of_the_package_is_loaded_as_it_stands_up_to_its_own_loop(load_plain: Load) -> None:
    timetable = load_plain("""
import time
import schedule

def job(what="work"):
    print("I'm working", what)

schedule.every(10).minutes.do(job)
schedule.every().hour.do(job, what="feeds")
schedule.every().day.at("10:30").do(job)
schedule.every(5).to(10).minutes.do(job)
schedule.every().monday.do(job)
schedule.every().wednesday.at("13:15").do(job)
schedule.every().day.at("12:42", "Europe/Amsterdam").do(job)
schedule.every().minute.at(":17").do(job)

while True:
    schedule.run_pending()
    time.sleep(1)
""")

    assert names(timetable) == [
        "job every 10 minutes",
        "job(what='feeds') every hour",
        "job every day at 10:30",
        "job every 5 to 10 minutes",
        "job every Monday",
        "job every Wednesday at 13:15",
        "job every day at 12:42 in Europe/Amsterdam",
        "job every minute at second 17",
    ]
    assert timetable.events[6].source.endswith("clock.py:14")
    assert str(timetable.events[6].zone) == "Europe/Amsterdam"


def test_every_word_of_the_package_works_and_ours_may_follow(load_plain: Load) -> None:
    timetable = load_plain("""
from datetime import datetime, time, timedelta
import schedule
from schedule import CancelJob, every, repeat

@repeat(every().second, "a")
@repeat(every(3).weeks, "b")
def job(word):
    return CancelJob

every(2).hours.at("10:30").until("2030-01-01 18:30").do(job, "c").tag("x", "y")
every().week.until(timedelta(hours=8)).do(job, "d")
every().sunday.until(time(12, 36, 42)).do(job, "e")
every(4).days.until(datetime(2030, 5, 17)).do(job, "f").named("mine")
""")

    assert names(timetable) == [
        "job('a') every second",
        "job('b') every 3 weeks",
        "job('c') every 2 hours at minute 10:30",
        "job('d') every week",
        "job('e') every Sunday",
        "mine",
    ]
    assert timetable.events[2].tags == {"x", "y"}


def test_cancelled_and_cleared_jobs_are_no_events(load_plain: Load) -> None:
    timetable = load_plain("""
import schedule

def job(): ...

first = schedule.every().day.do(job).named("first")
schedule.every().day.do(job).named("second").tag("daily", "a")
schedule.every().day.do(job).named("third").tag("daily")
schedule.every().hour.do(job).named("fourth")
schedule.every().week.do(job).named("fifth")
assert [str(it.tags) for it in schedule.get_jobs("a")]
assert len(schedule.get_jobs()) == len(schedule.jobs) == 5
schedule.cancel_job(first)
schedule.clear("daily")
del schedule.jobs[-1]
""")

    assert names(timetable) == ["fourth"]


def test_clear_without_a_tag_leaves_nothing(load_plain: Load) -> None:
    assert names(load_plain("import schedule\nschedule.every().day.do(print)\nschedule.clear()\n")) == []


def test_jobs_of_schedulers_made_in_the_file_are_events_too(load_plain: Load) -> None:
    timetable = load_plain("""
import schedule
from schedule import Scheduler

class SafeScheduler(Scheduler):
    def _run_job(self, job): ...

mine, safe = schedule.Scheduler(), SafeScheduler()
mine.every().day.at("06:00").do(print, "mine")
safe.every().hour.do(print, "safe")
schedule.every().minute.do(print, "default")
""")

    assert names(timetable) == [
        "print('mine') every day at 06:00",
        "print('safe') every hour",
        "print('default') every minute",
    ]


def test_jobs_of_the_packages_own_schedulers_are_declared_again(load_plain: Load) -> None:
    class SafeScheduler(schedule.Scheduler):
        """Made before the file is loaded, as in a module that was imported earlier."""

    module = type(sys)("application_of_this_test")
    module.scheduler = SafeScheduler()  # type: ignore[attr-defined]  # a module of the test's own
    module.scheduler.every().day.at("07:30").do(print, "zone").at_time_zone = ZoneInfo("Asia/Tokyo")
    module.default = schedule.default_scheduler  # type: ignore[attr-defined]  # a module of the test's own
    sys.modules[module.__name__] = module
    try:
        timetable = load_plain("""
from application_of_this_test import default, scheduler

def job(word, end=""): ...

scheduler.every().monday.at("16:20").do(job, "a", end="b").tag("x")
scheduler.every(5).to(9).minutes.until("2030-01-01").do(job, "c")
default.every(2).hours.do(job, "d")
""")
    finally:
        del sys.modules[module.__name__]

    assert names(timetable) == [
        "job('d') every 2 hours",
        "print('zone') every day at 07:30 in Asia/Tokyo",
        "job('a', end='b') every Monday at 16:20",
        "job('c') every 5 to 9 minutes",
    ]
    assert timetable.events[2].tags == {"x"}
    assert timetable.events[3].declaration.endswith(" until 2030-01-01 00:00:00")


def test_a_job_that_is_built_without_its_scheduler_is_declared_as_well(load_plain: Load) -> None:
    timetable = load_plain("import schedule\nschedule.Job(5, schedule.default_scheduler).days.do(print)\n")

    assert names(timetable) == ["print every 5 days"]


def test_the_zones_of_pytz_are_taken_by_their_names(load_plain: Load) -> None:
    [event] = load_plain("""
import schedule
from datetime import timedelta, tzinfo

class LikePytz(tzinfo):
    zone = "Europe/Berlin"
    def utcoffset(self, when): return timedelta(minutes=53)  # pytz's local mean time

schedule.every().day.at("06:00", LikePytz()).do(print)
""").events

    assert str(event.zone) == "Europe/Berlin"
    assert "Berlin" in event.declaration


def test_the_package_is_afterwards_as_it_was(load_plain: Load) -> None:
    before = schedule.every().day.do(print)
    state = (schedule.default_scheduler, schedule.jobs, schedule.Scheduler, schedule.jobs[:])
    try:
        load_plain("import schedule\nschedule.every().day.do(print)\n")
        with pytest.raises(DeclarationError):
            load_plain("import schedule\nschedule.every().day.do(print)\nschedule.every(0).days.do(print)\n")

        assert (schedule.default_scheduler, schedule.jobs, schedule.Scheduler, schedule.jobs[:]) == state
        assert schedule.get_jobs() == [before]
    finally:
        schedule.clear()


def test_the_builder_is_the_packages_job_made_by_a_scheduler_of_the_packages_class(load_plain: Load) -> None:
    package = (schedule.Job, schedule.Scheduler)
    seen: list[object] = []
    schedule.seen = seen  # type: ignore[attr-defined]  # put there for the file to see
    try:
        load_plain("import schedule\nschedule.seen.append(schedule.every().day.do(print))\n")
    finally:
        del schedule.seen  # type: ignore[attr-defined]  # put there for the file to see

    [job] = seen
    assert isinstance(job, package[0])
    assert isinstance(job.scheduler, package[1])
    assert (job.interval, job.unit) == (1, "days")


@pytest.mark.parametrize(
    "loop",
    [
        "while 1:\n    n = schedule.idle_seconds()\n    time.sleep(n)\n    schedule.run_pending()",
        "import asyncio\nasync def main():\n    while True:\n        schedule.run_pending()\nasyncio.run(main())",
        "try:\n    schedule.run_pending()\nexcept Exception:\n    raise SystemError('caught')",
        "print(schedule.next_run())\nschedule.run_pending()\nraise SystemError('ran on')",
        "import threading\nt = threading.Thread(target=schedule.run_pending)\nt.start()\nt.join()",
    ],
)
def test_its_own_loop_ends_the_file(load_plain: Load, loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)  # in place of pytest's

    assert len(load_plain(f"import schedule, time\nschedule.every().day.do(print)\n{loop}\n").events) == 1


def test_the_next_run_is_about_now_and_unknown_without_declarations(load_plain: Load) -> None:
    load_plain("""
import schedule
from datetime import datetime, timedelta

assert schedule.next_run() is None and schedule.idle_seconds() is None
schedule.every().day.do(print)
assert schedule.idle_seconds() == 0
now = datetime.now()
assert now <= schedule.next_run() == schedule.next_run() <= now + timedelta(seconds=60)
""")


def test_a_scheduler_of_a_file_runs_nothing_after_the_load(load_plain: Load) -> None:
    scheduler = load_plain("import schedule\nschedule.every().day.do(print)\n").scheduler

    assert scheduler
    for call in (scheduler.run_pending, scheduler.clear):
        with pytest.raises(DeclarationError, match="events work only in a clock file"):
            call()


def test_the_function_of_a_job_is_known_to_the_file(load_plain: Load) -> None:
    names = load_plain("""
import schedule
from tests.timetable.jobs import SendLetterJob, act

calls = schedule.every().day.do(act, 1, key=2).job_func
pushes = schedule.every().day.do(SendLetterJob, "me").job_func
prepared = schedule.every().day.do(SendLetterJob.set(queue="low"), "me").job_func
unfinished = schedule.every().day
nothing = unfinished.job_func
unfinished.do(act)
""").names

    known = [names[name] for name in ("calls", "pushes")]
    assert [(call.func, call.args, call.keywords) for call in known if isinstance(call, partial)] == [
        (jobs.act, (1,), {"key": 2}),
        (jobs.SendLetterJob, ("me",), {}),
    ]
    assert (names["prepared"], names["nothing"]) == (None, None)


@pytest.mark.parametrize(
    ("answer", "is_cancelled"),
    [(schedule.CancelJob, True), (schedule.CancelJob(), True), (None, False), (schedule.Job, False)],
)
def test_an_action_cancels_its_event_by_its_answer(answer: object, is_cancelled: bool) -> None:
    assert cancels(answer) is is_cancelled


def test_run_all_is_refused_since_a_load_must_not_fire_anything(load_plain: Load) -> None:
    with pytest.raises(DeclarationError, match=r"clock\.py:3: run_all\(\) would run every job .* clock fire NAME"):
        load_plain("import schedule\nschedule.every().day.do(print)\nschedule.run_all()\n")


def test_until_ends_at_its_moment_in_the_events_zone_or_counts_from_the_first_sight(load_plain: Load) -> None:
    timetable = load_plain("""
import schedule
from datetime import datetime, time, timedelta, timezone

for end in ("2026-11-25 12:00", datetime(2026, 11, 25, 12), time(12), "12:00:00", timedelta(hours=30),
            datetime(2026, 11, 25, 11, tzinfo=timezone.utc), "2026-11-25"):
    schedule.every().hour.at(":00", "Europe/Berlin").until(end).do(print)
""")
    anchor = datetime.fromisoformat("2026-11-24T06:30+01:00")

    last = []
    for event in timetable.events:
        due = list(event.due_between(int(anchor.timestamp()), int(anchor.timestamp()) + 90 * 3600, anchor=anchor))
        last.append(
            (datetime.fromtimestamp(due[-1], anchor.tzinfo) - anchor.replace(minute=0)) / timedelta(hours=1)
        )

    assert last == [30, 30, 6, 6, 30, 30, 18]


def test_an_until_in_the_past_is_no_error_as_every_event_comes_to_it(load_plain: Load) -> None:
    [event] = load_plain("import schedule\nschedule.every().day.until('1999-01-01').do(print)\n").events

    now = datetime.fromisoformat("2026-11-24T06:30+01:00")
    assert event.next_after(now, anchor=now) is None


PRINTED = [
    "every(10).minutes",
    "every().hour",
    "every().day.at('10:30')",
    "every(5).to(10).minutes",
    "every().monday.at('16:20')",
    "every().minute.at(':17')",
    "every(1.0).hours",
]


@pytest.mark.parametrize("words", PRINTED)
def test_a_job_is_printed_as_the_package_prints_it(load_plain: Load, words: str) -> None:
    lines = (
        f"import schedule\ndef job(*words, **named): ...\nprint_of = schedule.{words}.do(job, 'a', 2, end='b')\n"
    )
    namespace: dict[str, schedule.Job] = {}
    exec(lines, namespace)  # noqa: S102  # by the package itself
    theirs = namespace["print_of"]
    schedule.clear()
    theirs.next_run = None  # it is not known while a file is loaded

    ours = load_plain(lines).names["print_of"]

    assert str(ours).replace("interval=1,", "interval=1.0,") == str(theirs).replace("interval=1,", "interval=1.0,")
    assert repr(ours).replace("Every 1 ", "") == repr(theirs).replace("Every 1.0 ", "").replace("Every 1 ", "")


def test_a_job_without_a_unit_and_a_cron_job_can_be_printed(load_plain: Load) -> None:
    load_plain("import schedule, clock\nprint(repr(schedule.every().day.do(print)))\njob = schedule.every()\n"
               "assert 'the declaration at' in repr(job) and str(job)\njob.day.do(print, 2)\n"
               "assert repr(clock.cron('0 6 * * *').do(print, 3))\n")  # fmt: skip


@pytest.mark.parametrize("kind", ["ScheduleError", "ScheduleValueError", "IntervalError"])
def test_a_bad_declaration_is_caught_as_the_packages_error(load_plain: Load, kind: str) -> None:
    timetable = load_plain(
        "import schedule\ntry:\n    schedule.every().day.at('32:00').do(print)\n"
        f"except schedule.{kind}:\n    print('not scheduled')\nschedule.every().day.do(print)\n"
    )

    assert names(timetable) == ["print every day"]


@pytest.mark.parametrize("interval", ["'5'", "1.5", "0", "True"])
def test_an_interval_is_a_whole_number(load_plain: Load, interval: str) -> None:
    with pytest.raises(DeclarationError, match="must be a whole number above 0"):
        load_plain(f"import schedule\nschedule.every({interval}).minutes.do(print)\n")


@pytest.mark.parametrize(
    ("given", "zone"),
    [("utc", "UTC"), ("europe/berlin", "Europe/Berlin"), ("AMERICA/NEW_YORK", "America/New_York")],
)
def test_a_zone_is_found_in_any_case(load_plain: Load, given: str, zone: str) -> None:
    [event] = load_plain(f"import schedule\nschedule.every().day.at('06:00', {given!r}).do(print)\n").events

    assert str(event.zone) == zone


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("Eastern Time (US & Canada)", "write 'America/New_York'"),
        ("Mexico City", "write 'America/Mexico_City'"),
        ("Chatham Is.", "write 'Pacific/Chatham'"),
        ("Berlin", "write 'Europe/Berlin'"),
        ("Europe/Berln", "did you mean 'Europe/Berlin'"),
        ("Middle Earth (West)", "use a name of the tz database"),
    ],
)
def test_another_name_of_a_zone_is_refused_with_what_to_write(load_plain: Load, given: str, hint: str) -> None:
    with pytest.raises(DeclarationError, match=f"unknown time zone {re.escape(repr(given))}; {hint}"):
        load_plain(f"import clock\nclock.configure(tz={given!r})\n")
