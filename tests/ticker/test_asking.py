"""What a clock that was down does with an event that asks its condition again: every 10 minutes from 05:00."""

from collections.abc import Callable
from datetime import datetime, time, timedelta

import pytest

from clock.testing import FakeClock
from clock.ticker.planning.asking import backlog_by_asking
from clock.timetable import Timetable
from clock.timetable.triggers.zone_offsets import to_seconds

FILE = """
@every(timedelta(minutes=10), "asked", if_=lambda t: True, catch_up="{catch_up}")
def run(name, due): ...
"""
LATE = "over 1 h late, the event's catch-up limit"
SUPERSEDED = 'only the latest run was caught up (catch_up="latest")'
SKIPS = "the event does not catch up"


@pytest.mark.parametrize(
    ("catch_up", "now", "missed", "fires"),
    [
        ("latest", "05:05:00", [], []),
        ("latest", "05:10:00", [], [("05:10", "fired")]),
        ("skip", "05:10:00", [], [("05:10", "fired")]),
        ("skip", "05:10:10", [], [("05:10", "fired")]),
        ("skip", "05:10:10.001", [("05:10", "05:10", 1, SKIPS)], []),
        ("latest", "05:10:10", [], [("05:10", "fired")]),
        ("latest", "05:10:10.001", [], [("05:10", "caught_up")]),
        ("latest", "05:20:00", [("05:10", "05:10", 1, SUPERSEDED)], [("05:20", "fired")]),
        ("latest", "05:35:30", [("05:10", "05:20", 2, SUPERSEDED)], [("05:30", "caught_up")]),
        ("all", "05:35:30", [], [("05:10", "caught_up")]),  # the condition decides which instant is the next
        ("skip", "05:35:30", [("05:10", "05:35", 26, SKIPS)], []),  # as if it was refused each minute
        (
            "latest",
            "07:05:30",
            [("05:10", "06:05", 56, LATE), ("06:06", "06:46", 5, SUPERSEDED)],
            [("06:56", "caught_up")],
        ),
        ("all", "07:05:30", [("05:10", "06:05", 56, LATE)], [("06:06", "caught_up")]),
        ("skip", "07:05:30", [("05:10", "07:05", 116, SKIPS)], []),
    ],
)
def test_of_the_instants_at_which_it_asks_those_in_time_fire(
    declare: Callable[..., Timetable],
    fake_clock: FakeClock,
    catch_up: str,
    now: str,
    missed: list[tuple[str, str, int, str]],
    fires: list[tuple[str, str]],
) -> None:
    [event] = declare(FILE.format(catch_up=catch_up)).events
    start = fake_clock.now().replace(minute=0, second=0)
    at = datetime.combine(start, time.fromisoformat(now), start.tzinfo)

    found = backlog_by_asking(event, anchor=start, decided=start, counted=str(to_seconds(start)), now=at)

    assert start.hour == 5
    assert [(f"{run.first:%H:%M}", f"{run.at:%H:%M}", run.count, run.reason) for run in found.missed] == missed
    assert [(f"{due.at:%H:%M}", due.kind) for due in found.fires] == fires
    decided = [start, *(run.at for run in found.missed), *(due.at for due in found.fires)]
    assert found.decided == decided[-1]


@pytest.mark.parametrize("catch_up", ["latest", "skip", "all"])
def test_an_instant_that_was_refused_is_not_missed_afterwards(
    declare: Callable[..., Timetable], fake_clock: FakeClock, catch_up: str
) -> None:
    [event] = declare(FILE.format(catch_up=catch_up)).events
    start = fake_clock.now().replace(minute=0, second=0)
    decided = start + timedelta(minutes=15)  # the condition refused each minute from ten on

    found = backlog_by_asking(
        event, anchor=start, decided=decided, counted=str(to_seconds(start)), now=start + timedelta(hours=9)
    )

    assert found.missed[0].first == decided + timedelta(minutes=1)
