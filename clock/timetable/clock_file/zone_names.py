"""Names of time zones as people write them: those of the tz database in any case, and hints for those of Rails."""

from __future__ import annotations

import re
from datetime import tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from clock.printable import closest

#: All names of UTC in the tz database, and those of Greenwich's fixed zone, whose offset is always 0 as well.
UTC_NAMES = frozenset({
    "UTC", "UCT", "Universal", "Zulu", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu",
    "GMT", "GMT0", "GMT+0", "GMT-0", "Greenwich", "Etc/GMT", "Etc/GMT0", "Etc/GMT+0", "Etc/GMT-0", "Etc/Greenwich",
})  # fmt: skip

#: Rails' names of zones that are not the city's name.
_RAILS = {
    "Eastern Time (US & Canada)": "America/New_York",
    "Central Time (US & Canada)": "America/Chicago",
    "Mountain Time (US & Canada)": "America/Denver",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "Atlantic Time (Canada)": "America/Halifax",
    "Indiana (East)": "America/Indiana/Indianapolis",
    "Arizona": "America/Phoenix",
    "Hawaii": "Pacific/Honolulu",
    "Alaska": "America/Juneau",
    "Newfoundland": "America/St_Johns",
    "Brasilia": "America/Sao_Paulo",
    "Saskatchewan": "America/Regina",
    "Central America": "America/Guatemala",
    "West Central Africa": "Africa/Algiers",
    "Bern": "Europe/Zurich",
    "Edinburgh": "Europe/London",
    "Pretoria": "Africa/Johannesburg",
    "St. Petersburg": "Europe/Moscow",
    "Ekaterinburg": "Asia/Yekaterinburg",
    "Islamabad": "Asia/Karachi",
    "Abu Dhabi": "Asia/Dubai",
    "Chennai": "Asia/Kolkata",
    "Mumbai": "Asia/Kolkata",
    "New Delhi": "Asia/Kolkata",
    "Beijing": "Asia/Shanghai",
    "Hanoi": "Asia/Bangkok",
    "Osaka": "Asia/Tokyo",
    "Sapporo": "Asia/Tokyo",
    "Canberra": "Australia/Sydney",
    "Wellington": "Pacific/Auckland",
}

#: Abbreviations that are not in the tz database, with a place that uses each. The closest name would be wrong.
_ABBREVIATIONS = {
    "AEDT": "Australia/Sydney",
    "AEST": "Australia/Sydney",
    "AKDT": "America/Anchorage",
    "AKST": "America/Anchorage",
    "BST": "Europe/London",
    "CDT": "America/Chicago",
    "CEST": "Europe/Berlin",
    "CST": "America/Chicago",
    "EDT": "America/New_York",
    "EEST": "Europe/Athens",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "KST": "Asia/Seoul",
    "MDT": "America/Denver",
    "MSK": "Europe/Moscow",
    "NZDT": "Pacific/Auckland",
    "NZST": "Pacific/Auckland",
    "PDT": "America/Los_Angeles",
    "PST": "America/Los_Angeles",
    "SGT": "Asia/Singapore",
    "WEST": "Europe/Lisbon",
}
_WITHOUT_PLACE = {"factory", "localtime", "posixrules"}
_OFFSET = re.compile(r"(?:UTC|GMT)? ?([+-])(\d{1,2})(?::?(\d\d)|\.(\d+))?", re.IGNORECASE)  # +5:30, +0530, +5.5


def zone_name(zone: tzinfo) -> str:
    """The name of a zone in declarations. All names of UTC are one, so a new base image changes no declaration."""
    name = str(zone)
    return "UTC" if name in UTC_NAMES else name


def find_zone(name: str) -> ZoneInfo | None:
    """The zone of that name in the tz database, in upper or lower case, as pytz accepts it, or None.

    Other names of the database are unknown: `Factory` is UTC, `localtime` and `posixrules` depend on the machine.
    """
    if name.lower() in _WITHOUT_PLACE:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        exact = _by_lower_case().get(name.lower())
        return None if exact in (None, name) else ZoneInfo(exact)


def hint_of_zone(name: str) -> str:
    """The text to write instead of an unknown zone name: "; write 'Asia/Kuala_Lumpur'" for "Kuala Lumpur"."""
    if offset := _OFFSET.fullmatch(name):
        sign, hours, *parts = offset.groups(default="")
        fixed = f"Etc/GMT{'-' if sign == '+' else '+'}{int(hours)}"
        is_whole = not "".join(parts).strip("0")
        also = f", or {fixed!r} (with the sign reversed)" if is_whole and find_zone(fixed) else ""
        return f"; an offset is not a place: write 'Europe/Berlin'{also}"
    if place := _ABBREVIATIONS.get(name.upper()):
        return f"; an abbreviation is not a zone: write a place, such as {place!r}"
    known = sorted(_by_lower_case().values())
    city = "/" + name.removesuffix(" Is.").replace(" ", "_")
    if place := _RAILS.get(name) or next((zone for zone in known if zone.endswith(city)), None):
        return f"; write {place!r}"
    return "; " + closest(name, known, "use a name of the tz database: 'Europe/Berlin'")


@lru_cache(maxsize=1)
def _by_lower_case() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones() if name.lower() not in _WITHOUT_PLACE}
