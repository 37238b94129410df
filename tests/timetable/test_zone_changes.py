"""Changes of a zone's clocks."""

from datetime import UTC, datetime, timedelta

import pytest

from clock.timetable.triggers.zone_changes import ZoneChange, described, zone_changes
from clock.timetable.triggers.zone_offsets import DAY, HOUR, to_datetime
from tests.timetable.changing_zone import ChangingZone

AT = 20_000 * DAY + HOUR  # 2024-10-04 01:00 in UTC
NOON = datetime(2024, 10, 4, 12)


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (HOUR, "Fri 04 Oct 2024: the times from 03:00 to 04:00 are skipped"),
        (-1800, "Fri 04 Oct 2024: the times from 02:30 to 03:00 occur twice"),
    ],
)
def test_a_change_is_described(shift: int, words: str) -> None:
    [change] = zone_changes(ChangingZone(AT, shift, before=2 * HOUR), to_datetime(AT - DAY), to_datetime(AT + DAY))

    assert change.at == to_datetime(AT)
    assert change.shown == datetime(2024, 10, 4, 3)
    assert change.then == change.shown + timedelta(seconds=shift)
    assert change.is_gap is (shift > 0)
    assert described(change) == words


@pytest.mark.parametrize(("start", "end", "count"), [(-1, 1, 1), (0, 9, 0), (-9, 0, 0), (-1, 2, 1), (1, 9, 0)])
def test_a_change_is_listed_if_it_is_within_the_time(start: int, end: int, count: int) -> None:
    zone = ChangingZone(AT, HOUR)

    assert len(list(zone_changes(zone, to_datetime(AT + start), to_datetime(AT + end)))) == count


def test_a_zone_that_does_not_change_has_no_changes() -> None:
    start = datetime(2000, 1, 1, tzinfo=UTC)

    assert not list(zone_changes(UTC, start, start + timedelta(days=9000)))


@pytest.mark.parametrize("shift", [60, -60])
def test_a_change_holds_the_times_that_are_skipped_or_occur_twice(shift: int) -> None:
    change = ZoneChange(to_datetime(AT), NOON, NOON + timedelta(seconds=shift))
    low = min(0, shift)

    held = [change.holds(NOON + timedelta(seconds=low + far)) for far in (-1, 0, 30, 59, 60)]

    assert held == [False, True, True, True, False]
    assert not ZoneChange(to_datetime(AT), NOON, NOON).is_gap
