"""The sun, against astral's own answers, and against what must be true of any sun."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import strategies as st

from clock.errors import DeclarationError
from clock.timetable import Event, Timetable
from clock.timetable.triggers.calendars.sun import KINDS, Sun, parse_sun
from clock.timetable.triggers.zone_offsets import to_datetime, to_seconds
from tests.timetable.properties import for_all

astral = pytest.importorskip("astral")
of_sun = pytest.importorskip("astral.sun")

DAY = 86_400
kinds = st.sampled_from(KINDS)
latitudes, longitudes = st.floats(-58, 58), st.floats(-180, 180)
starts = st.dates(date(1990, 1, 1), date(2060, 1, 1)).map(
    lambda day: to_seconds(datetime(*day.timetuple()[:3], tzinfo=UTC))
)


@for_all(kind=kinds, latitude=latitudes, longitude=longitudes, start=starts)
def test_the_sun_is_where_astral_says(kind: str, latitude: float, longitude: float, start: int) -> None:
    solar = timezone(timedelta(minutes=round(longitude * 4)))  # no event is near midnight there
    noon = to_datetime(start + DAY // 2 - round(longitude * 240))
    observer = astral.Observer(latitude, longitude)
    expected = getattr(of_sun, kind)(observer, noon.astimezone(solar).date(), tzinfo=UTC)

    found = Sun(kind, latitude, longitude).due_between(start - DAY, start + 3 * DAY, start - 2 * DAY, None)

    most = timedelta(seconds=90)  # a due instant is a whole minute
    assert min(abs(to_datetime(due) - expected) for due in found) <= most


@for_all(kind=kinds, latitude=st.floats(-90, 90), longitude=longitudes, start=starts)
def test_each_day_has_the_sun_at_most_once(kind: str, latitude: float, longitude: float, start: int) -> None:
    found = list(Sun(kind, latitude, longitude).due_between(start, start + 100 * DAY, start, None))

    assert all(due % 60 == 0 for due in found)
    least = DAY - 3600 if abs(latitude) < 58 else 0  # near a polar day, dawn moves by hours from day to day
    assert all(later - earlier > least for earlier, later in pairwise(found))
    assert len(found) >= 99 or abs(latitude) > 58


@for_all(
    kind=kinds, latitude=latitudes, longitude=longitudes, start=starts, plus=st.integers(-720, 720), cut=st.data()
)
def test_steps_and_shifts_change_nothing(
    kind: str, latitude: float, longitude: float, start: int, plus: int, cut: st.DataObject
) -> None:
    end, move = start + 20 * DAY, plus * 60
    nominal = list(Sun(kind, latitude, longitude).due_between(start, end, start - 9 * DAY, None))
    shifted, middle = Sun(kind, latitude, longitude, move), cut.draw(st.integers(start + move, end + move))

    first = shifted.due_between(start + move, middle, start - 9 * DAY, None)
    rest = shifted.due_between(middle, end + move, start - 9 * DAY, None)

    assert [*first, *rest] == [due + move for due in nominal]


@for_all(kind=kinds, plus=st.integers(-720, 720))
def test_its_words_mean_the_same_again(kind: str, plus: int) -> None:
    sun = Sun(kind, -33.8688, 151.2093, plus * 60)

    assert parse_sun(sun.words()) == sun


def test_a_polar_night_has_no_sunrise(declared: Callable[..., Event]) -> None:
    event = declared('sun("Sunrise at 69.65, 18.96").do(act)', tz="Europe/Oslo")
    anchor = datetime(2026, 11, 20, tzinfo=UTC)

    dues = [
        to_datetime(due).date()
        for due in event.due_between(to_seconds(anchor), to_seconds(anchor) + 70 * DAY, anchor=anchor)
    ]

    assert dues[0] == date(2026, 11, 20)
    assert max(later - earlier for earlier, later in pairwise(dues)) > timedelta(days=40)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("sunsett at 52.5, 13.4", "write one of dawn, sunrise, noon, sunset, dusk and a place"),
        ("sunset", "write one of"),
        ("sunset at 95, 13.4", "the place is 95, 13.4; latitude is -90 to 90, longitude -180 to 180"),
        ("13 hours before sunset at 52.5, 13.4", "13 hours before: it must be whole minutes, at most 12 hours"),
        ("30 seconds after noon at 1, 2", "it must be whole minutes"),
        ("soon after noon at 1, 2", "'soon' has the unknown unit"),
        (None, "write one of"),
    ],
)
def test_a_wrong_text_is_refused(load_lines: Callable[[str], Timetable], text: object, mistake: str) -> None:
    with pytest.raises(DeclarationError, match=f"clock.py:5: sun is .*{mistake}"):
        load_lines(f"sun({text!r}).do(act)")


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        (".dst(fold='both')", r"dst\(...\) needs a time of day; this event follows the sun"),
        (".at('06:00')", r"sun\(...\) takes no at\(...\): the sun gives the time"),
        (".day", r"sun\(...\) takes no unit"),
    ],
)
def test_a_word_that_does_not_fit_is_refused(
    load_lines: Callable[[str], Timetable], words: str, mistake: str
) -> None:
    with pytest.raises(DeclarationError, match=mistake):
        load_lines(f"sun('noon at 1, 2'){words}.do(act)")
