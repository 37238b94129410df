"""The sun, against astral's own answers, and against what must be true of any sun."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import strategies as st

from clock.errors import DeclarationError
from clock.timetable import Event, Timetable
from clock.timetable.triggers.sun import KINDS, Sun, parse_sun
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


BERLIN, SYDNEY, REYKJAVIK, DATE_LINE = (52.52, 13.405), (-33.8688, 151.2093), (64.15, -21.94), (0.0, -179.5)
TROMSO = (69.65, 18.96)


@pytest.mark.parametrize(
    ("place", "day", "minutes"),
    [
        (BERLIN, date(2026, 6, 21), "01:52 02:43 11:08 19:32 20:24"),
        (BERLIN, date(2026, 12, 21), "06:32 07:15 11:04 14:53 15:36"),
        (BERLIN, date(2059, 3, 10), "04:58 05:32 11:16 17:01 17:35"),
        (SYDNEY, date(2026, 6, 21), "20:32 21:00 01:56 06:53 07:21"),
        (SYDNEY, date(2059, 3, 10), "19:25 19:51 02:05 08:20 08:45"),
        (REYKJAVIK, date(2026, 6, 21), "- 02:56 13:29 00:02 -"),
        (REYKJAVIK, date(2026, 12, 21), "10:02 11:23 13:25 15:28 16:49"),
        (TROMSO, date(2026, 1, 17), "07:50 10:04 10:54 11:44 13:58"),
        (TROMSO, date(2026, 5, 14), "- 23:45 10:40 21:35 -"),
        (TROMSO, date(2026, 5, 17), "- - 10:40 22:21 -"),
        (TROMSO, date(2026, 7, 25), "- 23:11 10:50 - -"),
        (DATE_LINE, date(2026, 6, 21), "17:33 17:56 23:59 06:03 06:26"),
        (DATE_LINE, date(2026, 12, 21), "17:29 17:52 23:56 05:59 06:22"),
    ],
)
def test_the_minutes_of_the_sun_stay_the_same_in_every_version(
    place: tuple[float, float], day: date, minutes: str
) -> None:
    """Dawn, sunrise, noon, sunset and dusk in UTC. A clock with another version would run them again."""
    start = to_seconds(datetime(day.year, day.month, day.day, tzinfo=UTC)) - 1

    for kind, minute in zip(KINDS, minutes.split(), strict=True):
        found = [*Sun(kind, *place).due_between(start, start + DAY, 0, None)]
        assert [f"{to_datetime(due):%H:%M}" for due in found] == ([minute] if minute != "-" else [])


@pytest.mark.parametrize("latitude", [90, -90])
@pytest.mark.parametrize("kind", ["dawn", "sunrise", "sunset", "dusk"])
def test_at_a_pole_the_sun_rises_or_sets_at_most_twice_a_year(kind: str, latitude: float) -> None:
    start = to_seconds(datetime(2026, 1, 1, tzinfo=UTC))

    found = Sun(kind, latitude, 0).due_between(start, start + 365 * DAY, start, None)

    assert len(list(found)) in (1, 2)


@pytest.mark.parametrize("plus", [0, 60, -60, 12 * 3600, -12 * 3600])
@pytest.mark.parametrize("place", [BERLIN, SYDNEY, DATE_LINE])
def test_each_minute_of_the_sun_is_found_alone(place: tuple[float, float], plus: int) -> None:
    start = to_seconds(datetime(2026, 3, 1, tzinfo=UTC))

    for kind in KINDS:
        sun = Sun(kind, *place, plus)
        found = [*sun.due_between(start, start + 4 * DAY, start, None)]
        assert len(found) == 4
        for due in found:
            assert list(sun.due_between(due - 1, due, 0, None)) == [due]
            assert list(sun.due_between(due, due + 3600, 0, None)) == []
        assert list(sun.due_between(start, found[-1], found[1], None)) == found[2:]


def test_the_search_ends_if_the_sun_does_not_get_there() -> None:
    start = to_seconds(datetime(2026, 6, 1, tzinfo=UTC))

    assert list(Sun("sunset", 85, 0).due_between(start, start + 60 * DAY, 0, None)) == []
    assert next(Sun("sunset", 85, 0).due_between(start, start + 1000 * DAY, 0, None)) < start + 150 * DAY


@pytest.mark.parametrize(
    ("text", "sun", "words"),
    [
        ("Sunset at 52.52,13.405", Sun("sunset", 52.52, 13.405), "sunset at 52.52, 13.405"),
        ("noon at -90, -180", Sun("noon", -90, -180), "noon at -90, -180"),
        ("dawn at 90, +180", Sun("dawn", 90, 180), "dawn at 90, 180"),
        ("dusk at 0.1234567, 100", Sun("dusk", 0.1234567, 100), "dusk at 0.123457, 100"),
        ("1 hour before  sunrise at 1, 2", Sun("sunrise", 1, 2, -3600), "1 hour before sunrise at 1, 2"),
        ("30 minutes after noon at 1, 2", Sun("noon", 1, 2, 1800), "30 minutes after noon at 1, 2"),
        ("12 hours after noon at 1, 2", Sun("noon", 1, 2, 43_200), "12 hours after noon at 1, 2"),
        ("1 minute before noon at 1, 2", Sun("noon", 1, 2, -60), "1 minute before noon at 1, 2"),
        ("5 minutes after noon at 1, 2", Sun("noon", 1, 2, 300), "5 minutes after noon at 1, 2"),
    ],
)
def test_a_text_of_the_sun_is_parsed_and_shown(text: str, sun: Sun, words: str) -> None:
    assert parse_sun(text) == sun
    assert sun.words() == words


@pytest.mark.parametrize("text", ["noon at 90.1, 0", "noon at -90.1, 0", "noon at 0, 180.1", "noon at 0, -180.1"])
def test_a_place_that_is_not_on_earth_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="latitude is -90 to 90, longitude -180 to 180"):
        parse_sun(text)


@pytest.mark.parametrize("length", ["12 hours 1 minute", "721 minutes", "90 seconds"])
def test_a_length_that_is_too_long_or_has_seconds_is_refused(length: str) -> None:
    with pytest.raises(ValueError, match="it must be whole minutes, at most 12 hours"):
        parse_sun(f"{length} before noon at 0, 0")
