"""The fluent form against the real `schedule` package, run under fake time from due instant to due instant.

Deliberate differences, all in the nights on which clocks change (the package's zones are pytz's):
a time that is skipped is due at the end of the gap, once, where the package takes it an hour later and adds an
hour early the day after; every real hour counts, where it loses the one that comes twice; and a skipped midnight
does not hold up the days after it, where it repeats one instant for ever.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import schedule
import time_machine

from clock.timetable import Event, Timetable
from tests.timetable.differential import compared

Load = Callable[[str], Timetable]
COUNT = 12

UNITS = ["second", "minute", "hour", "day", "week"]
PLAIN = [
    *[f"every().{unit}" for unit in UNITS],
    *[f"every({n}).{unit}s" for n, unit in product([2, 3, 7, 45], UNITS)],
    *[f"every().{day}" for day in ("monday", "wednesday", "saturday", "sunday")],
]
TIMED = [
    *[f"every({n}).days.at({at!r})" for n, at in product([2, 3, 30], ["00:00", "06:00", "23:59:59"])],
    *[f"every().day.at({at!r})" for at in ("00:00", "06:00", "12:30:15", "23:59:59")],
    *[
        f"every().{day}.at({at!r})"
        for day, at in product(["monday", "tuesday", "sunday"], ["00:00", "06:00", "16:20"])
    ],
    *[f"every({n}).hours.at({at!r})" for n, at in product([2, 3, 24], [":00", ":30", "59:59"])],
    *[f"every().hour.at({at!r})" for at in (":00", ":30", "15:45", "59:59")],
    *[f"every({n}).minutes.at({at!r})" for n, at in product([2, 5, 90], [":00", ":30"])],
    *[f"every().minute.at({at!r})" for at in (":00", ":17", ":59")],
]
ANCHORS = [
    "2026-11-24 05:00:00",
    "2026-11-24 06:00:00",
    "2027-02-28 23:59:59",
    "2028-02-28 12:30:15",
    "2026-12-31 16:20:01",
]


def package_dues(declaration: str, anchor: datetime, count: int = COUNT) -> list[datetime]:
    """The instants at which the package runs a job that is run at each of them without delay."""
    scheduler = schedule.Scheduler()
    found = []
    with time_machine.travel(anchor, tick=False) as traveller:
        job = eval(declaration, {"every": scheduler.every}).do(dict)  # noqa: S307  # a declaration of this file
        for _ in range(count):
            due = job.next_run.replace(tzinfo=UTC)
            found.append(due)
            traveller.move_to(max(due, datetime.now(UTC)))
            job.run()
    return found


def our_dues(event: Event, anchor: datetime, count: int = COUNT) -> list[datetime]:
    found: list[datetime] = []
    previous = None
    for _ in range(count):
        due = event.next_after(previous or anchor, anchor=anchor, previous=previous)
        assert due is not None
        found.append(due)
        previous = due
    return found


def load_all(load_lines: Load, declarations: list[str]) -> dict[str, Event]:
    lines = "\n".join(f"{text}.named({text!r}).do(act)" for text in declarations)
    return {event.name: event for event in load_lines(f"configure(tz='UTC')\n{lines}\n").events}


@pytest.mark.parametrize("anchor", ANCHORS)
def test_every_declaration_is_due_when_the_package_runs_it(load_lines: Load, anchor: str) -> None:
    events = load_all(load_lines, PLAIN + TIMED)
    start = datetime.fromisoformat(anchor).replace(tzinfo=UTC)

    for declaration, event in events.items():
        assert our_dues(event, start) == package_dues(declaration, start), declaration
        compared("schedule")


NIGHTS = [
    ("America/New_York", "2026-03-07 12:00"),
    ("America/New_York", "2026-03-08 00:10"),
    ("America/New_York", "2026-10-31 12:00"),
    ("America/New_York", "2026-11-01 00:10"),
    ("Europe/Berlin", "2026-03-28 12:00"),
    ("Europe/Berlin", "2026-10-24 12:00"),
    ("Australia/Lord_Howe", "2026-04-04 12:00"),
    ("Australia/Lord_Howe", "2026-10-03 12:00"),
    ("America/Sao_Paulo", "2018-11-03 12:00"),
    ("America/Sao_Paulo", "2018-02-17 12:00"),
    ("Asia/Kolkata", "2026-03-08 00:10"),
]
IN_ZONES = [
    "every().day.at('00:00', ZONE)",
    "every().day.at('01:30', ZONE)",
    "every().day.at('02:30', ZONE)",
    "every().day.at('10:00', ZONE)",
    "every(2).days.at('02:30', ZONE)",
    "every().sunday.at('01:30', ZONE)",
    "every().sunday.at('02:30', ZONE)",
    "every().hour.at(':30', ZONE)",
    "every(2).hours.at(':15', ZONE)",
    "every().minute.at(':30', ZONE)",
]
SKIPPED = "a skipped time is due once, at the end of the gap"
REAL_HOURS = "every real hour counts"
MIDNIGHT = "a skipped midnight does not hold up the days after it"
#: (zone, anchor, declaration) -> why it differs; what is not here must agree.
DELIBERATE = {
    ("America/New_York", "2026-03-07 12:00", "every().day.at('02:30', ZONE)"): SKIPPED,
    ("America/New_York", "2026-03-07 12:00", "every().sunday.at('02:30', ZONE)"): SKIPPED,
    ("America/New_York", "2026-03-08 00:10", "every().day.at('02:30', ZONE)"): SKIPPED,
    ("America/New_York", "2026-03-08 00:10", "every().sunday.at('02:30', ZONE)"): SKIPPED,
    ("America/New_York", "2026-03-08 00:10", "every(2).days.at('02:30', ZONE)"): SKIPPED,
    ("Europe/Berlin", "2026-03-28 12:00", "every().day.at('02:30', ZONE)"): SKIPPED,
    ("Europe/Berlin", "2026-03-28 12:00", "every().sunday.at('02:30', ZONE)"): SKIPPED,
    ("America/New_York", "2026-11-01 00:10", "every().hour.at(':30', ZONE)"): REAL_HOURS,
    ("America/New_York", "2026-11-01 00:10", "every(2).hours.at(':15', ZONE)"): REAL_HOURS,
    ("America/Sao_Paulo", "2018-11-03 12:00", "every().day.at('00:00', ZONE)"): MIDNIGHT,
}


@pytest.mark.parametrize(("zone", "anchor"), NIGHTS)
def test_in_zones_all_but_the_odd_nights_are_the_packages(load_lines: Load, zone: str, anchor: str) -> None:
    written = {text: text.replace("ZONE", repr(zone)) for text in IN_ZONES}
    events = load_all(load_lines, list(written.values()))
    start = datetime.fromisoformat(anchor).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)

    for text, declaration in written.items():
        deliberate = DELIBERATE.get((zone, anchor, text))
        agrees = our_dues(events[declaration], start, 5) == package_dues(declaration, start, 5)
        assert agrees == (deliberate is None), declaration
        compared("schedule", deliberate=deliberate)


@pytest.mark.parametrize(
    ("zone", "anchor", "declaration", "package", "ours"),
    [
        (
            "America/New_York",
            "2026-03-07 12:00",
            "every().day.at('02:30', ZONE)",
            "08 03:30, 09 01:30, 09 02:30",
            "08 03:00, 09 02:30, 10 02:30",
        ),
        (
            "America/New_York",
            "2026-11-01 00:10",
            "every().hour.at(':30', ZONE)",
            "01 00:30, 01 01:30, 01 02:30",
            "01 00:30, 01 01:30, 01 01:30",
        ),
        (
            "America/Sao_Paulo",
            "2018-11-03 12:00",
            "every().day.at('00:00', ZONE)",
            "04 01:00, 04 23:00, 04 23:00",
            "04 01:00, 05 00:00, 06 00:00",
        ),
    ],
)
def test_what_the_package_does_in_odd_nights_and_what_we_do(
    load_lines: Load, zone: str, anchor: str, declaration: str, package: str, ours: str
) -> None:
    declaration = declaration.replace("ZONE", repr(zone))
    tz: Any = ZoneInfo(zone)
    start = datetime.fromisoformat(anchor).replace(tzinfo=tz).astimezone(UTC)
    [event] = load_all(load_lines, [declaration]).values()

    def shown(dues: list[datetime]) -> str:
        return ", ".join(due.astimezone(tz).strftime("%d %H:%M") for due in dues)

    assert shown(package_dues(declaration, start, 3)) == package
    assert shown(our_dues(event, start, 3)) == ours
