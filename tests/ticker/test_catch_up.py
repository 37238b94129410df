from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clock.clocks import to_ms
from clock.store.ledger.decision import DecisionKind
from clock.testing import FakeClock
from clock.ticker.planning.catch_up import (
    ALL_LIMIT,
    ON_TIME,
    Backlog,
    backlog_by_asking,
    backlog_of,
    fires_on_time,
    missed_because,
)
from clock.timetable import Event, Timetable
from clock.timetable.triggers.cron import Cron
from clock.timetable.triggers.intervals import Elapsed, Trigger
from clock.timetable.triggers.wall_times import Countable
from clock.timetable.triggers.zone_offsets import to_seconds

ANCHOR = datetime(2026, 11, 24, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class EveryMinute:
    """Due each full minute after the anchor."""

    catch_up: str = "latest"
    catch_up_within: timedelta = timedelta(hours=1)

    def due_between(
        self, after: int, end: int, *, anchor: datetime, previous: datetime | None = None
    ) -> Iterable[int]:
        start = to_ms(anchor) // 1000
        return range(start + ((after - start) // 60 + 1) * 60, end + 1, 60)


def every_minute(catch_up: str = "latest", within: timedelta = timedelta(hours=1)) -> Event:
    return cast("Event", EveryMinute(catch_up, within))


def minute(number: float) -> datetime:
    return ANCHOR + number * MINUTE


def backlog_at(number: float, event: Event, *, decided: float = 0) -> Backlog:
    previous = minute(decided) if decided else None
    return backlog_of(event, anchor=ANCHOR, decided=minute(decided), previous=previous, now=minute(number))


def fired(backlog: Backlog) -> list[datetime]:
    return [due.at for due in backlog.fires]


def test_an_instant_met_on_time_fires_and_is_no_catch_up() -> None:
    backlog = backlog_at(1.01, every_minute())

    assert fired(backlog) == [minute(1)]
    assert not backlog.fires[0].caught_up
    assert backlog.missed == ()


def test_nothing_is_owed_before_the_next_due_instant() -> None:
    assert backlog_at(0.99, every_minute()) == Backlog((), (), decided=ANCHOR)


def test_the_first_instant_has_no_previous_one_and_the_second_has() -> None:
    assert backlog_at(1, every_minute()).fires[0].previous is None
    assert backlog_at(2, every_minute(), decided=1).fires[0].previous == minute(1)


def test_latest_fires_the_last_instant_of_an_outage_and_records_the_others_as_one_run() -> None:
    backlog = backlog_at(10.5, every_minute())

    assert fired(backlog) == [minute(10)]
    assert backlog.fires[0].caught_up
    assert backlog.fires[0].previous == minute(9)
    [run] = backlog.missed
    assert (run.first, run.at, run.count) == (minute(1), minute(9), 9)
    assert run.reason == 'only the latest run was caught up (catch_up="latest")'


def test_all_fires_each_instant_of_an_outage_in_order() -> None:
    backlog = backlog_at(10.5, every_minute("all"))

    assert fired(backlog) == [minute(number) for number in range(1, 11)]
    assert backlog.missed == ()


def test_skip_fires_only_what_is_met_on_time() -> None:
    assert fired(backlog_at(10.5, every_minute("skip"))) == []
    assert fired(backlog_at(10.01, every_minute("skip"))) == [minute(10)]


def test_an_instant_older_than_the_limit_is_missed_with_the_limit_named() -> None:
    backlog = backlog_at(3.9, every_minute(within=timedelta(seconds=30)))

    assert fired(backlog) == []
    assert [run.reason for run in backlog.missed] == ["over 30 s late, the event's catch-up limit"]


def test_an_instant_met_on_time_fires_whatever_the_limit_is() -> None:
    assert fired(backlog_at(1.01, every_minute(within=timedelta(0)))) == [minute(1)]


def test_all_fires_at_most_a_thousand() -> None:
    backlog = backlog_at(ALL_LIMIT + 5, every_minute("all", timedelta(days=365)))

    assert fired(backlog) == [minute(number) for number in range(6, ALL_LIMIT + 6)]
    assert [(run.count, run.reason) for run in backlog.missed] == [(5, "more than 1000 runs were due at once")]


def test_the_last_missed_instant_is_the_one_before_those_that_fire() -> None:
    [run] = backlog_at(ALL_LIMIT + 5, every_minute("all", timedelta(days=365))).missed

    assert (run.first, run.at) == (minute(1), minute(5))


MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("late", "kind"),
    [
        (timedelta(0), DecisionKind.FIRED),
        (timedelta(seconds=10), DecisionKind.FIRED),
        (timedelta(seconds=10) + MICROSECOND, DecisionKind.CAUGHT_UP),
    ],
)
def test_an_instant_that_is_ten_seconds_late_is_on_time_and_a_later_one_is_caught_up(
    late: timedelta, kind: DecisionKind
) -> None:
    event = every_minute()

    [due] = backlog_of(event, anchor=ANCHOR, decided=ANCHOR, previous=None, now=minute(1) + late).fires

    assert (due.kind, missed_because(every_minute("skip"), late) is None) == (kind, kind is DecisionKind.FIRED)


def test_a_clock_that_always_runs_fires_each_instant_after_the_decided_one_up_to_the_end() -> None:
    found = fires_on_time(every_minute(), anchor=ANCHOR, decided=minute(2), previous=minute(2), until=minute(5))

    assert found == [to_ms(minute(number)) // 1000 for number in (3, 4, 5)]


@pytest.mark.parametrize("catch_up", ["latest", "all", "skip"])
@given(
    away=st.integers(min_value=0, max_value=30_000),
    decided=st.integers(min_value=0, max_value=20),
    within=st.integers(min_value=0, max_value=400),
)
def test_every_due_instant_is_decided_exactly_once(catch_up: str, away: int, decided: int, within: int) -> None:
    backlog = backlog_at(decided + away / 60, every_minute(catch_up, within * MINUTE), decided=decided)

    missed = [run.first + number * MINUTE for run in backlog.missed for number in range(run.count)]
    assert missed + fired(backlog) == [minute(decided + number) for number in range(1, away // 60 + 1)]


def test_the_reason_and_the_firings_are_those_of_a_look_at_each_instant() -> None:
    for catch_up in ("latest", "all", "skip"):
        for tenths in range(0, 30):
            event = every_minute(catch_up, timedelta(seconds=90))
            backlog = backlog_at(5 + tenths / 10, event)
            now = minute(5 + tenths / 10)
            late = [now - minute(number) for number in range(1, int(5 + tenths / 10) + 1)]
            fires = [age for age in late if missed_because(event, age) is None]
            assert fired(backlog) == [now - age for age in (fires if catch_up == "all" else fires[-1:])]
            assert [due.caught_up for due in backlog.fires] == [now - due.at > ON_TIME for due in backlog.fires]


@dataclass
class Counted:
    """Due instants, and how many of them were made."""

    instants: Countable
    made: int = 0

    def __iter__(self) -> Iterator[int]:
        return map(self._count, self.instants)

    def __len__(self) -> int:
        return len(self.instants)

    def __reversed__(self) -> Iterator[int]:
        return map(self._count, reversed(self.instants))

    def _count(self, instant: int) -> int:
        self.made += 1
        return instant


@dataclass
class EverySecond:
    """An event of each second, by a trigger; what the trigger has returned."""

    trigger: Trigger
    catch_up: str
    catch_up_within: timedelta
    asked: list[Counted] = field(default_factory=list)

    def due_between(
        self, after: int, end: int, *, anchor: datetime, previous: datetime | None = None
    ) -> Iterable[int]:
        found = self.trigger.due_between(after, end, to_ms(anchor) // 1000, None)
        assert isinstance(found, Countable)
        self.asked.append(Counted(found))
        return self.asked[-1]


@pytest.mark.parametrize("trigger", [Elapsed(1), Cron("* * * * * *", UTC)])
@pytest.mark.parametrize("within", [timedelta(hours=1), timedelta(days=1000), timedelta.max])
@pytest.mark.parametrize("catch_up", ["latest", "all", "skip"])
def test_a_year_of_missed_seconds_is_counted_and_not_made_one_by_one(
    catch_up: str, within: timedelta, trigger: Trigger
) -> None:
    event, now = EverySecond(trigger, catch_up, within), ANCHOR + timedelta(days=365, milliseconds=300)

    backlog = backlog_of(cast("Event", event), anchor=ANCHOR, decided=ANCHOR, previous=None, now=now)

    assert sum(run.count for run in backlog.missed) + len(backlog.fires) == 365 * 86_400
    assert fired(backlog)[-1] == backlog.decided == ANCHOR + timedelta(days=365)
    assert len(event.asked) <= 3, "calls of the trigger"
    assert sum(found.made for found in event.asked) <= ALL_LIMIT + 10, "instants that were made"


# An event that asks its condition again: every 10 minutes from 05:00.
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
