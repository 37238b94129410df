"""Names of days in times that a user writes."""

from datetime import datetime, timedelta

import pytest

from clock.timetable.day_names import dated

SATURDAY = datetime(2026, 11, 28, 18, 30)
DAYS = ["saturday", "sunday", "monday", "tuesday", "wednesday", "thursday", "friday"]


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
