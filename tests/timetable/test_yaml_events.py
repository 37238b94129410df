from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clock.config import Declared
from clock.errors import DeclarationError, DuplicateEvent
from clock.job.registry import lookup
from clock.timetable import Event, Timetable, load
from clock.timetable.periods import parse_period
from tests.timetable.jobs import SendLetterJob

START = datetime(2026, 11, 24, 11, 0, 30, tzinfo=UTC)
Events = Callable[..., Timetable]


@pytest.fixture
def declared_in_yaml(tmp_path: Path) -> Events:
    """The timetable of events by name, whose zone is UTC, and of a clock file's further lines."""

    def read(lines: str = "", **events: dict[str, Any]) -> Timetable:
        path = tmp_path / "clock.py"
        path.write_text(f"from clock import *\nconfigure(tz='UTC')\n{lines}\n")
        declared = [Declared(name, fields, "config/clock.yml:7") for name, fields in events.items()]
        return load(path, declared=declared, find_job=lookup)

    return read


def due(event: Event, count: int = 3) -> list[str]:
    found, after = [], START - timedelta(seconds=1)
    for _ in range(count):
        following = event.next_after(after, anchor=START)
        assert following is not None
        after = following
        found.append(f"{following:%d %H:%M:%S}")
    return found


def test_an_event_is_all_that_its_fields_say(declared_in_yaml: Events) -> None:
    [event] = declared_in_yaml(
        nightly={
            "cron": "30 6 * * *",
            "tz": "Asia/Tokyo",
            "job": "SendLetterJob",
            "args": ["me", 2],
            "queue": "low",
            "description": "Why.",
            "enabled": True,
            "catch_up": "all",
            "catch_up_within": "2 hours",
            "overlap": "skip",
            "was": "every.night",
        }
    ).events

    assert (event.name, event.source, event.description) == ("nightly", "config/clock.yml:7", "Why.")
    assert event.options.was == ("every.night",)
    assert event.declaration == "cron 30 6 * * * in Asia/Tokyo"
    assert str(event.action) == "SendLetterJob.set(queue='low')('me', 2)"
    assert (event.catch_up, event.catch_up_within, event.overlap) == ("all", timedelta(hours=2), "skip")
    assert event.enqueues


def test_days_and_moves_are_data_as_well(declared_in_yaml: Events) -> None:
    [event] = declared_in_yaml(
        x={
            "cron": "0 6 * * *",
            "job": "SendLetterJob",
            "args": "me",
            "except_on": ["2026-11-26", date(2026, 11, 27)],
            "spread": "10 minutes",
            "jitter": 30,
            "gap": "skip",
            "fold": "both",
            "until": "2026-12-31",
            "tags": ["mail"],
        }
    ).events

    assert event.declaration == (
        "cron 0 6 * * * in UTC until 2026-12-31 00:00:00, "
        "gap skip, fold both, not on given days, spread over 0:10:00, jitter up to 0:00:30"
    )
    assert event.tags == {"mail"}
    assert [instant.split()[0] for instant in due(event)] == ["25", "28", "29"]


@pytest.mark.parametrize(
    ("fields", "instants"),
    [
        ({"every": "10 minutes"}, ["24 11:10:30", "24 11:20:30", "24 11:30:30"]),
        ({"every": "1h30m"}, ["24 12:30:30", "24 14:00:30", "24 15:30:30"]),
        ({"every": 90}, ["24 11:02:00", "24 11:03:30", "24 11:05:00"]),
        ({"every": "30s", "skip_first_run": False}, ["24 11:00:30", "24 11:01:00", "24 11:01:30"]),
        ({"every": "day", "at": "06:00"}, ["25 06:00:00", "26 06:00:00", "27 06:00:00"]),
        ({"every": "1 day", "at": ["06:00", "18:00"]}, ["24 18:00:00", "25 06:00:00", "25 18:00:00"]),
        ({"every": "2 weeks", "at": "Tuesday 16:20"}, ["24 16:20:00", "08 16:20:00", "22 16:20:00"]),
        ({"cron": "@hourly"}, ["24 12:00:00", "24 13:00:00", "24 14:00:00"]),
        # sidekiq-cron and sidekiq-scheduler
        ({"cron": "0 6 * * * Asia/Tokyo"}, ["24 21:00:00", "25 21:00:00", "26 21:00:00"]),
        ({"cron": "0 6 * * * Japan"}, ["24 21:00:00", "25 21:00:00", "26 21:00:00"]),
        ({"cron": "0 0 12 * * * Asia/Tokyo"}, ["25 03:00:00", "26 03:00:00", "27 03:00:00"]),
        ({"cron": "*/20 * * * * *"}, ["24 11:00:40", "24 11:01:00", "24 11:01:20"]),
        ({"cron": ["15 * * * *", {"timeout": None}]}, None),
        ({"cron": ["15 * * * *"]}, ["24 11:15:00", "24 12:15:00", "24 13:15:00"]),
        ({"every": ["30s"]}, ["24 11:01:00", "24 11:01:30", "24 11:02:00"]),
        ({"interval": "1h"}, ["24 12:00:30", "24 13:00:30", "24 14:00:30"]),
    ],
)
def test_when_it_is_due(declared_in_yaml: Events, fields: dict[str, Any], instants: list[str] | None) -> None:
    if instants is None:
        with pytest.raises(DeclarationError, match="unknown field 'timeout'"):
            declared_in_yaml(x={**fields, "class": "SendLetterJob", "args": "me"})
        return
    [event] = declared_in_yaml(x={**fields, "class": "SendLetterJob", "args": "me"}).events

    assert due(event) == instants


@pytest.mark.parametrize(
    ("fields", "pushed"),
    [
        ({"args": "contributors"}, ["contributors"]),
        ({"args": {"hard": "stuff"}}, [{"hard": "stuff"}]),
        ({"args": ["a", 2]}, ["a", 2]),
        ({"args": ["DUE_AT"]}, ["2026-11-24T11:00:30+00:00"]),
        ({"args": ["a"], "date_as_argument": True}, ["a", START.timestamp()]),
        ({"args": ["a"], "include_metadata": True}, ["a", {"scheduled_at": START.timestamp()}]),
        ({"args": ["a"], "date_as_argument": False, "source": "schedule", "symbolize_args": True}, ["a"]),
    ],
)
def test_what_the_job_gets(
    declared_in_yaml: Events, fields: dict[str, Any], pushed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[tuple[Any, ...]] = []
    monkeypatch.setattr(SendLetterJob, "perform_async", lambda *args: got.append(args))
    [event] = declared_in_yaml(x={"every": "1h", "class": "SendLetterJob", **fields}).events

    event.run(START)

    assert got == [tuple(pushed)]


def test_the_name_is_the_class_where_none_is_given(declared_in_yaml: Events) -> None:
    [event] = declared_in_yaml(SendLetterJob={"every": "1h", "args": ["me"]}).events

    assert str(event.action) == "SendLetterJob('me')"


def test_retries_may_be_counted_in_text(declared_in_yaml: Events) -> None:
    [event] = declared_in_yaml(x={"cron": "@daily", "class": "SendLetterJob", "args": "me", "retry": "5"}).events

    assert str(event.action) == "SendLetterJob.set(retry=5)('me')"


def test_what_is_not_enabled_is_no_event(declared_in_yaml: Events) -> None:
    assert declared_in_yaml(
        "every().day.do(print)",
        a={"every": "1h", "job": "SendLetterJob", "args": "me", "enabled": False},
        b={"every": "1h", "class": "SendLetterJob", "args": "me", "status": "disabled"},
        c={"every": "1h", "class": "NoSuchJob", "enabled": False},
    ).by_name.keys() == {"print every day"}


def test_a_name_that_the_clock_file_has_too_is_refused_with_both_places(declared_in_yaml: Events) -> None:
    with pytest.raises(DuplicateEvent, match=r"config/clock.yml:7: another event is named 'x', at .*clock.py:3"):
        declared_in_yaml(
            "every().day.do(print).named('x')", x={"every": "1h", "job": "SendLetterJob", "args": "me"}
        )


def test_the_clock_file_may_be_missing_where_there_are_events_in_yaml(tmp_path: Path) -> None:
    fields = {"every": "1h", "job": "SendLetterJob", "args": "me"}
    events = [Declared("x", fields, "config/clock.yml:7"), Declared("y", fields, "config/other.yml:1")]

    timetable = load(tmp_path / "nothing.py", declared=events, find_job=lookup)

    assert timetable.path == Path("config/clock.yml")
    assert list(timetable.by_name) == ["x", "y"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"every": "1h", "job": "NoSuchJob"}, "unknown job class 'NoSuchJob'; is its module under"),
        ({"every": "1h"}, "unknown job class 'x'"),
        ({"every": "1h", "job": 5}, "job is 5; it must be the name of a job class"),
        (
            {"every": "1h", "args": []},
            "SendLetterJob: perform(address: str, copies: int = 1) cannot take 0 arguments",
        ),
        ({"every": "1h", "args": "me", "queue": 5}, "SendLetterJob.set: queue is 5"),
        ({"args": "me"}, "give one of every, cron, rrule, sun"),
        ({"every": "1h", "cron": "@daily", "args": "me"}, "give one of every, cron, rrule, sun"),
        ({"at": "2030/01/12 16:20", "args": "me"}, "an event must recur; for a single run, push the job with"),
        ({"in": "1h", "args": "me"}, "in is '1h': an event must recur"),
        ({"every": ["30s", {"first_in": "120s"}]}, "first_in is '120s': a first delay is not supported"),
        (
            {"every": "often", "args": "me"},
            "'often' has the unknown unit 'often'; use week, day, hour, minute, second",
        ),
        ({"every": "1M", "args": "me"}, "'1M' counts months, whose length varies; write a cron expression"),
        (
            {"every": "1h", "args": "me", "status": "Enabled"},
            "status is 'Enabled'; it must be 'enabled' or 'disabled'",
        ),
        (
            {"cron": ["@daily", "@hourly"], "args": "me"},
            "cron has several values; write an event for each",
        ),
        (
            {"every": "1h", "args": ["me", {"on": [date(2026, 1, 2)]}]},
            "args has the date 2026-01-02, which JSON lacks; write it in quotes",
        ),
        ({"every": "1h", "args": "me", "status": False}, "status is False; it must be 'enabled' or 'disabled'"),
        ({"every": "1h", "args": "me", "retry": "often"}, "SendLetterJob.set: retry is 'often'"),
        ({"every": 10**30, "args": "me"}, "1000000000000000000000000000000 is too long for a period"),
        (
            {"every": "1h", "args": "me", "catch_up_within": "999999999999 weeks"},
            "is too long for a period",
        ),
        (
            {"cron": "every day at five", "args": "me"},
            "cron is 'every day at five': sentences are not supported; write a cron expression, or",
        ),
        (
            {"cron": "* * * * * * *", "args": "me"},
            "a year field is not supported; use until. Write minute, hour, day of month",
        ),
        ({"cron": "0 6 * * * Mars/Phobos", "args": "me"}, "unknown time zone 'Mars/Phobos'"),
        ({"cron": "0 6 * * * +25:00", "args": "me"}, "unknown time zone '+25:00'; write an offset as +09:00"),
        ({"every": "day", "at": "25:00", "args": "me"}, "at has 25, which must be at most 23"),
        ({"every": "1h", "args": "me", "enabled": "no"}, "enabled is 'no'; it must be true or false"),
        (
            {"every": "1h", "args": "me", "desciption": "x"},
            "unknown field 'desciption'; did you mean 'description'?",
        ),
        (
            {"every": "1h", "args": "me", "queue_name_prefix": "x"},
            "it belongs to Active Job; write the full queue name",
        ),
        ({"every": "1h", "args": "me", "catch_up_within": "soon"}, "'soon' has the unknown unit 'soon'"),
        ({"every": "1h", "args": "me", "overlap": "never"}, 'overlap is \'never\'; it must be "allow", "skip" or'),
        ({"cron": "@daily", "args": "me", "skip_first_run": True}, "cron takes no skip"),
    ],
)
def test_a_bad_event_is_refused_with_file_line_and_name(
    declared_in_yaml: Events, fields: dict[str, Any], message: str
) -> None:
    known = {} if "NoSuch" in message or "'x'" in message or "job is" in message else {"class": "SendLetterJob"}
    with pytest.raises(DeclarationError) as error:
        declared_in_yaml(x={**known, **fields})

    assert str(error.value).startswith("config/clock.yml:7: 'x': ")
    assert message in str(error.value)


def test_a_zone_behind_rubys_cron_expression_may_be_an_offset(declared_in_yaml: Events) -> None:
    [event] = declared_in_yaml(SendLetterJob={"cron": "0 9 * * * +09:00", "args": "me"}).events

    assert due(event) == ["25 00:00:00", "26 00:00:00", "27 00:00:00"]


def test_a_field_without_a_value_is_not_given(declared_in_yaml: Events) -> None:
    fields = {"cron": "0 9 * * *", "args": "me", "tz": None, "queue": None, "enabled": None}

    [event] = declared_in_yaml(SendLetterJob=fields).events

    assert str(event.action) == "SendLetterJob('me')"


def test_a_weekday_in_capitals_is_no_zone(declared_in_yaml: Events) -> None:
    [event] = declared_in_yaml(SendLetterJob={"cron": "0 0 9 * * MON", "args": "me"}).events

    assert due(event) == ["30 09:00:00", "07 09:00:00", "14 09:00:00"]


@pytest.mark.parametrize(("is_rubys", "days"), [(True, ["24", "25", "26"]), (False, ["25", "27", "01"])])
def test_rubys_cron_expressions_follow_fugit(tmp_path: Path, is_rubys: bool, days: list[str]) -> None:
    fields = {"cron": "0 12 */2 * 1-5", "klass": "SendLetterJob", "args": "me"}
    declared = [Declared("mail", fields, "config/schedule.yml:1", is_rubys)]
    path = tmp_path / "clock.py"
    path.write_text("from clock import *\nconfigure(tz='UTC')\n")

    [event] = load(path, declared=declared, find_job=lookup).events

    assert [one[:2] for one in due(event)] == days


@pytest.mark.parametrize(
    ("every", "period"),
    [("1.5 hours", "90 minutes"), ("2 hours and 30 minutes", "150 minutes"), ("1h, 30m", "90 minutes")],
)
def test_periods_are_read_as_rubys_files_write_them(declared_in_yaml: Events, every: str, period: str) -> None:
    [event] = declared_in_yaml(SendLetterJob={"every": every, "args": "me"}).events

    assert event.schedule.startswith(f"every {period}")


def test_years_are_refused_as_months_are(declared_in_yaml: Events) -> None:
    with pytest.raises(DeclarationError, match="'2y' counts years, whose length varies; write a cron expression"):
        declared_in_yaml(SendLetterJob={"every": "2y", "args": "me"})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cron": "0 6 * * *", "class": "A", "klass": "B"}, "job (as class, klass and job) is both 'A' and 'B'"),
        ({"every": "1h", "interval": "2h"}, "every (as interval and every) is both '1h' and '2h'; give it once"),
        (
            {"every": "1h", "status": "enabled", "enabled": False},
            "enabled (as status and enabled) is both True and",
        ),
        ({"cron": "0 6 * * * Asia/Tokyo", "tz": "Europe/Berlin"}, "tz is both 'Asia/Tokyo' and 'Europe/Berlin'"),
        ({"every": ["1h", {"queue": "low"}], "queue": "high"}, "queue is both 'low' and 'high'; give it once"),
    ],
)
def test_a_field_given_twice_under_two_names_is_refused(
    declared_in_yaml: Events, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(DeclarationError) as error:
        declared_in_yaml(a=fields)

    assert message in str(error.value)


@pytest.mark.parametrize(
    ("every", "seconds"), [("5 mins", 300), ("2hrs", 7200), ("1 hr", 3600), ("90 secs", 90), ("1h 30 min", 5400)]
)
def test_usual_short_forms_of_units_are_read(every: str, seconds: int) -> None:
    assert parse_period(every) == timedelta(seconds=seconds)


def test_a_period_that_is_no_number_is_named() -> None:
    with pytest.raises(ValueError, match="invalid period nan; use '10 minutes'"):
        parse_period(float("nan"))
