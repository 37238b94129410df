"""Sunrise, sunset, dawn, dusk and solar noon at a place, by the formulas of `astral` (extra `calendars`).

`astral` answers by dates of a zone, and some dates have two sunsets or none. Here each day is counted from solar
midnight to solar midnight at the place, so each event of the sun belongs to one day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from math import degrees

from clock.timetable.periods import parse_period, period_words
from clock.timetable.triggers.zone_offsets import DAY, MINUTE

_DEGREES_BELOW = {"dawn": 6.0, "dusk": 6.0, "sunrise": 32 / 120, "sunset": 32 / 120}  # civil; half of the disc
KINDS = ("dawn", "sunrise", "noon", "sunset", "dusk")
_NUMBER = r"[+-]?\d+(?:\.\d+)?"
_TEXT = re.compile(
    rf"(?:(?P<length>.+?) (?P<side>before|after) )?(?P<kind>{'|'.join(KINDS)}) at "
    rf"(?P<latitude>{_NUMBER})\s*,\s*(?P<longitude>{_NUMBER})"
)
_QUIET_DAYS = 400  # after a year without it, the sun never gets there
_REACH = DAY  # no event of the sun, with its `plus`, is further from its day's noon than 12 hours and `plus`


@dataclass(frozen=True, slots=True)
class Sun:
    """An event of the sun at a place, `plus` seconds later, in whole minutes.

    On a day on which the sun does not rise, set, or reach civil dawn or dusk, nothing is due.
    """

    kind: str
    latitude: float
    longitude: float
    plus: int = 0

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterator[int]:
        """The due instants in (after, end], in order."""
        after = max(after, anchor)
        day = last = (after - self.plus - _REACH) // DAY
        while (noon := self._mean_noon(day)) + self.plus - _REACH <= end and day - last < _QUIET_DAYS:
            found = self._instant(noon)
            if found is not None:
                last = day
                if after < found <= end:
                    yield found
            day += 1

    def words(self) -> str:
        """The event in words, from which it can be parsed again."""
        length = period_words(timedelta(seconds=abs(self.plus)))
        length = length if length[0].isdigit() else f"1 {length}"
        shift = f"{length} {'after' if self.plus > 0 else 'before'} " if self.plus else ""
        return f"{shift}{self.kind} at {_degrees(self.latitude)}, {_degrees(self.longitude)}"

    def _mean_noon(self, day: int) -> int:
        return day * DAY + DAY // 2 - round(self.longitude * 240)

    def _instant(self, noon: int) -> int | None:
        """The instant of the day with this mean solar noon; None: the sun does not get there."""
        from astral import sun

        at = float(noon)
        for _ in range(3):  # each step is closer; the third changes less than a second, except near polar days
            century = (at / DAY + 2_440_587.5 - 2_451_545.0) / 36_525  # days since 1970 as Julian centuries
            try:
                angle = self._hour_angle(sun.sun_declination(century))
            except ValueError:
                return None
            at = noon - (degrees(angle) * 4 + sun.eq_of_time(century)) * MINUTE
        return int(at // MINUTE) * MINUTE + self.plus

    def _hour_angle(self, declination: float) -> float:
        """The angle of the sun from noon in radians, positive before noon. Raises ValueError on polar days."""
        from astral import SunDirection, refraction_at_zenith, sun

        if self.kind == "noon":
            return 0.0
        zenith = 90.0 + _DEGREES_BELOW[self.kind]
        direction = SunDirection.RISING if self.kind in ("dawn", "sunrise") else SunDirection.SETTING
        latitude = max(-89.8, min(89.8, self.latitude))
        return sun.hour_angle(latitude, declination, zenith + refraction_at_zenith(zenith), direction)


def _degrees(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")


def parse_sun(given: object) -> Sun:
    """Parse `30 minutes before sunset at 52.52, 13.405`. Raises ValueError with the accepted form."""
    found = _TEXT.fullmatch(" ".join(given.lower().split())) if isinstance(given, str) else None
    if found is None:
        raise ValueError(
            f"write one of {', '.join(KINDS)} and a place: 'sunset at 52.52, 13.405' (latitude, longitude), "
            "or '30 minutes before sunset at 52.52, 13.405'"
        )
    latitude, longitude = float(found["latitude"]), float(found["longitude"])
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise ValueError(f"the place is {latitude:g}, {longitude:g}; latitude is -90 to 90, longitude -180 to 180")
    length = parse_period(found["length"]) if found["length"] else timedelta(0)
    if length > timedelta(hours=12) or length % timedelta(minutes=1):
        raise ValueError(f"{found['length']} {found['side']}: it must be whole minutes, at most 12 hours")
    sign = -1 if found["side"] == "before" else 1
    return Sun(found["kind"], latitude, longitude, sign * (length // timedelta(seconds=1)))
