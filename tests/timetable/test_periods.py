"""Periods of time: how they are read from texts, and written for people; times that a user types."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from clock.timetable.periods import dated, parse_period, period_words, short_form, typed_instant

SATURDAY = datetime(2026, 11, 28, 18, 30)
DAYS = ["saturday", "sunday", "monday", "tuesday", "wednesday", "thursday", "friday"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [("5M", "; write a cron expression, or 'm' for minutes"), ("1y", "; write a cron expression")],
)
def test_a_unit_whose_length_varies_is_refused_and_m_is_offered_for_a_capital_one(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match="whose length varies") as raised:
        parse_period(text)

    assert str(raised.value).endswith(hint)


@pytest.mark.parametrize("text", ["\u00b2", "\u00b2 minutes", "1.5.5 hours", "-3 minutes"])
def test_what_is_no_period_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=f"invalid period '{text}'; use "):
        parse_period(text)


@pytest.mark.parametrize(
    ("period", "words", "short"),
    [
        (timedelta(0), "0 seconds", "0 s"),
        (timedelta(milliseconds=1500), "1.5 seconds", "1.5 s"),
        (timedelta(seconds=1), "second", "1 s"),
        (timedelta(minutes=1), "minute", "1 min"),
        (timedelta(minutes=90), "90 minutes", "90 min"),
        (timedelta(hours=25), "25 hours", "25 h"),
        (timedelta(days=2), "2 days", "2 days"),
    ],
)
def test_a_period_is_written_in_one_unit(period: timedelta, words: str, short: str) -> None:
    assert (period_words(period), short_form(period)) == (words, short)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("yesterday", "2026-11-27"),
        ("today", "2026-11-28"),
        ("tomorrow", "2026-11-29"),
        (" Yesterday 06:00 ", "2026-11-27 06:00"),
        ("now", "2026-11-28 18:30"),
        ("2026-12-24 06:00", "2026-12-24 06:00"),
        ("now 06:00", "now 06:00"),
        ("sometime", "sometime"),
    ],
)
def test_the_name_of_a_day_becomes_its_date_and_other_texts_stay(text: str, date: str) -> None:
    assert dated(text, SATURDAY) == date


@pytest.mark.parametrize("length", [9, 3])
@pytest.mark.parametrize("place", range(7))
def test_a_weekday_is_the_latest_one_or_the_next_one_after_today(place: int, length: int) -> None:
    name = DAYS[place][:length]
    latest, following = (SATURDAY + timedelta(days=place + weeks * 7) for weeks in (-(place > 0), not place))

    assert dated(f"{name} 06:00", SATURDAY) == f"{latest:%Y-%m-%d} 06:00"
    assert dated(f"{name} 06:00", SATURDAY, ahead=True) == f"{following:%Y-%m-%d} 06:00"


#: In Berlin, an hour is missing on the night after this moment.
HERE = datetime(2026, 3, 28, 18, 30, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-29", "2026-03-28 23:00"),
        (" 2026-03-29 06:00 ", "2026-03-29 04:00"),
        ("2026-03-29 06:00+05:00", "2026-03-29 01:00"),
        ("20260329", "2026-03-28 23:00"),
        ("Sun 06:00", "2026-03-29 04:00"),
        ("now", "2026-03-28 17:30"),
        ("24h", "2026-03-29 17:30"),
        ("1 hour 30 minutes", "2026-03-28 19:00"),
        ("1d", "2026-03-29 16:30"),
        ("1 Week", "2026-04-04 16:30"),
    ],
)
def test_a_typed_time_is_a_date_a_day_or_a_length_whose_days_are_those_of_the_calendar(
    text: str, instant: str
) -> None:
    assert f"{typed_instant(text, HERE, ahead=True).astimezone(UTC):%Y-%m-%d %H:%M}" == instant


def test_a_length_counts_from_the_start_of_a_period() -> None:
    start = HERE + timedelta(days=7)

    assert typed_instant("2h", HERE, start=start) == start + timedelta(hours=2)
    assert typed_instant("tomorrow", HERE, start=start) == HERE.replace(hour=0, minute=0) + timedelta(days=1)


@pytest.mark.parametrize("text", ["", "soon", "90", "2 months", "2026-13-01", "06:00"])
def test_a_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"period|unit|months"):
        typed_instant(text, HERE)
