"""Periods of time: how they are read from texts, and written for people."""

from datetime import timedelta

import pytest

from clock.timetable.periods import parse_period, period_words, short_form


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
