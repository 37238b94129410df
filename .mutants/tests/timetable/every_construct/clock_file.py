"""Every construct of both grammars, and of ours, in one clock file; `explained.txt` tells what it means."""

import logging
from datetime import date, datetime, time, timedelta
from functools import partial

import schedule

from clock import (
    DUE_AT,
    cancel_job,
    clear,
    configure,
    cron,
    error_handler,
    every,
    get_jobs,
    handler,
    on,
    repeat,
    rrule,
    sun,
    sync_events,
)
from tests.timetable.jobs import SendLetterJob, act

HOLIDAYS = frozenset({date(2026, 11, 26), date(2026, 12, 25), date(2027, 1, 1)})

configure(
    tz="America/New_York",
    sleep_timeout=1,
    logger=logging.getLogger("every_construct"),
    max_threads=4,
    thread=False,
    catch_up="latest",
    catch_up_within=timedelta(hours=1),
)


def is_holiday(day: date) -> bool:
    return day in HOLIDAYS


def is_first(due: datetime) -> bool:
    return due.day == 1


# The fluent form: units
every().second.do(act)
every(30).seconds.do(act)
every().minute.do(act)
every(10).minutes.do(SendLetterJob, "news")
every().hour.do(act)
every(6).hours.do(act)
every().day.do(act)
every(3).days.do(act)
every().week.do(act)
every(2).weeks.do(act)
every(5).to(10).minutes.do(act)

# Weekdays
every().monday.do(act)
every().tuesday.at("16:20").do(act)
every().wednesday.at("16:20:30").do(act)
every().thursday.at(["06:00", "18:00"]).do(act)
every().friday.at("16:20", "Europe/Berlin").do(act)
every().saturday.at("00:00").do(act)
every().sunday.at("02:30").do(act)
every().weekday.at("09:00").do(act)
every().weekend.at("10:00").do(act)

# Times of the other units
every().minute.at(":15").do(act)
every(5).minutes.at(":15").do(act)
every().hour.at(":30").do(act)
every().hour.at([":00", "30:15"]).do(act)
every(3).hours.at("10:30").do(act)
every().day.at("06:00").do(act)
every().day.at(["06:00", "12:00", "18:00:30"]).do(act)
every(2).days.at("06:00").do(act)

# Clockwork's times in the fluent form
every().hour.at("**:45").do(act)
every().day.at("7:**").do(act)
every().day.at("Monday 16:20").do(act)
every().day.at("9:05").do(act)

# Months
every().month.on(1).at("00:00").do(act)
every().month.on(1, 15).at("06:00").do(act)
every().month.on("last").at("18:00").do(act)
every().month.on("3rd monday", "last friday").at("10:00").do(act)
every().month.on("1st weekday").at("08:00").do(act)
every(3).months.on(31).at("06:00").do(act)

# Cron
cron("*/5 9-17 * * mon-fri").do(act)
cron("30 6 1,15 * *", tz="UTC").do(act)
cron("0 12 L * *").do(act)
cron("0 12 LW * *").do(act)
cron("0 6 * * mon#1").do(act)
cron("0 6 * * 5L").do(act)
cron("@hourly").do(act)
cron("@daily").do(act)
cron("@weekly").do(act)
cron("@monthly").do(act)
cron("@yearly").do(act)

# What is done
every().day.at("01:00").do(SendLetterJob, "me", 2)
every().day.at("01:00").do(SendLetterJob.set(queue="low"), DUE_AT)
every().day.at("01:00").do(act, 1, DUE_AT, key="x")
every().day.at("01:00").do(partial(act, "partial"))
every().day.at("01:00").do(lambda: act("lambda"))
every().day.at("01:00").do(act, {"b", "a"})


@repeat(every().day.at("02:00"), "first")
@repeat(every().day.at("03:00"), "second")
def repeated(word: str) -> None:
    act(word)


# How it fires
every().hour.at(":05").named("named").do(act)
every().hour.at(":05").if_(is_first).named("conditional").do(act)
every().hour.at(":05").until("2026-11-24 09:30").named("until text").do(act)
every().hour.at(":05").until(datetime(2026, 11, 24, 8)).named("until datetime").do(act)
every().hour.at(":05").until(timedelta(hours=3)).named("until timedelta").do(act)
every().hour.at(":05").until(time(9)).named("until time").do(act)
every().weekday.at("09:00").except_on(HOLIDAYS).named("skipped").do(act)
every().weekday.at("09:00").except_on(is_holiday, otherwise="next").named("moved on").do(act)
every().weekday.at("09:00").except_on(["2026-11-26"], otherwise="previous").named("moved back").do(act)
every().day.at("04:00").spread(timedelta(hours=1)).named("spread").do(act)
every().day.at("04:00").jitter(timedelta(minutes=10)).named("jitter").do(act)
every().day.at("02:30").dst(gap="skip", fold="both").named("odd nights").do(act)
every().day.at("05:00").catch_up("all", within=timedelta(hours=2)).named("all").do(act)
every().day.at("05:00").catch_up("skip").named("none").do(act)
every().day.at("05:00").overlap("skip").named("alone").do(SendLetterJob, "me")
every().day.at("05:00").overlap("queue_one").named("one waits").do(SendLetterJob, "me")
every().day.at("05:00").thread().named("thread").do(act)
every().day.at("05:00").describe("It says why.").named("described").do(act)
every().day.at("05:00").tag("daily", "mail").named("tagged").do(act)
(
    every()
    .weekday.at("09:00", "Europe/Berlin")
    .named("everything")
    .if_(is_first)
    .except_on(is_holiday)
    .spread(timedelta(minutes=30))
    .jitter(timedelta(minutes=5))
    .dst(gap="shift", fold="second")
    .until("2027-12-31")
    .catch_up("all", within=timedelta(days=1))
    .overlap("queue_one")
    .thread()
    .tag("x")
    .describe("All at once.")
    .do(SendLetterJob, DUE_AT)
)

# Taken back
every().day.do(act).named("cancelled").tag("gone")
every().hour.do(act).named("cleared").tag("gone")
cancel_job(get_jobs("gone")[0])
clear("gone")

# The schedule package's own names
schedule.every(7).minutes.do(act, "schedule")
schedule.Scheduler().every().day.at("10:30").do(act, "a scheduler")


# Clockwork's form
@handler
def run(name: str, due: datetime) -> None:
    act(name, due)


every(10, "frequent.job")
every(timedelta(minutes=3), "less.frequent.job")
every(timedelta(hours=1), "hourly.job", at="**:30")
every(timedelta(days=1), "midnight.job", at="00:00", tz="UTC")
every(timedelta(days=1), "short.time", at="1:30")
every(timedelta(days=1), "with.seconds", at="16:20:30")
every(timedelta(days=1), "several.times", at=["12:00", "18:00"])
every(timedelta(weeks=1), "weekly.job", at="Monday 16:20")
every(timedelta(weeks=2), "fortnightly.job", at="mon 16:20")
every(10, "morning.poll", at="9:**")
every(timedelta(minutes=90), "sparse.job", at="**:15")
every(timedelta(days=1), "first.of.month", at="00:00", if_=is_first)
every(timedelta(hours=1), "not.at.first", skip_first_run=True)
every(timedelta(days=1), "plain.day")


@every(
    timedelta(days=1),
    "all.options",
    at="06:00",
    tz="Europe/Berlin",
    if_=is_first,
    thread=True,
    skip_first_run=True,
    catch_up="all",
    catch_up_within=timedelta(hours=2),
    overlap="skip",
    except_on=is_holiday,
    otherwise="next",
    spread=timedelta(minutes=10),
    jitter=timedelta(minutes=1),
    gap="skip",
    fold="second",
    until="2027-12-31",
    tags=["x", "y"],
    description="Everything that can be said.",
)
def decorated(name: str, due: datetime) -> None:
    act(name, due)


# Calendars
every().month.on("last business day", "3rd business day").at("18:00").except_on("US").do(act, "salaries")
every().weekday.at("09:00").except_on("US-NY", otherwise="next").do(act, "office")
every().day.at("09:00").except_on(["XNYS", "2026-11-27"]).do(act, "market")
rrule("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=9,17;BYMINUTE=30;BYSECOND=0").do(act, "rule")
rrule("DTSTART;TZID=Europe/Berlin:20260105T023000 RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=200").do(act, "fortnight")
sun("30 minutes before sunset at 40.7128, -74.006").do(act, "lamps")
sun("sunrise at 69.65, 18.96", tz="Europe/Oslo").do(act, "north")


# The whole file
@error_handler
def report(error: BaseException) -> None:
    act(error)


for callback in ("before_tick", "after_tick", "before_run", "after_run"):
    on(callback)(act)


def load_rows() -> list[dict[str, object]]:
    return [{"id": 7, "every": "1 day", "at": "06:00", "args": ["row"]}, {"name": "by cron", "cron": "@daily"}]


sync_events(load_rows, every=timedelta(minutes=1), do=SendLetterJob)
