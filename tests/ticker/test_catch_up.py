from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clock.clocks import to_ms
from clock.store.ledger.decision import DecisionKind
from clock.ticker.planning.catch_up import ALL_LIMIT, ON_TIME, Backlog, backlog_of, fires_on_time, missed_because
from clock.timetable.triggers.cron import Cron
from clock.timetable.triggers.intervals import Elapsed, Trigger
from clock.timetable.triggers.spans import Countable

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


def minute(number: float) -> datetime:
    return ANCHOR + number * MINUTE


def backlog_at(number: float, event: EveryMinute, *, decided: float = 0) -> Backlog:
    previous = minute(decided) if decided else None
    return backlog_of(event, anchor=ANCHOR, decided=minute(decided), previous=previous, now=minute(number))


def fired(backlog: Backlog) -> list[datetime]:
    return [due.at for due in backlog.fires]


def test_an_instant_met_on_time_fires_and_is_no_catch_up() -> None:
    backlog = backlog_at(1.01, EveryMinute())

    assert fired(backlog) == [minute(1)]
    assert not backlog.fires[0].caught_up
    assert backlog.missed == ()


def test_nothing_is_owed_before_the_next_due_instant() -> None:
    assert backlog_at(0.99, EveryMinute()) == Backlog((), (), decided=ANCHOR)


def test_the_first_instant_has_no_previous_one_and_the_second_has() -> None:
    assert backlog_at(1, EveryMinute()).fires[0].previous is None
    assert backlog_at(2, EveryMinute(), decided=1).fires[0].previous == minute(1)


def test_latest_fires_the_last_instant_of_an_outage_and_records_the_others_as_one_run() -> None:
    backlog = backlog_at(10.5, EveryMinute())

    assert fired(backlog) == [minute(10)]
    assert backlog.fires[0].caught_up
    assert backlog.fires[0].previous == minute(9)
    [run] = backlog.missed
    assert (run.first, run.at, run.count) == (minute(1), minute(9), 9)
    assert run.reason == 'only the latest run was caught up (catch_up="latest")'


def test_all_fires_each_instant_of_an_outage_in_order() -> None:
    backlog = backlog_at(10.5, EveryMinute("all"))

    assert fired(backlog) == [minute(number) for number in range(1, 11)]
    assert backlog.missed == ()


def test_skip_fires_only_what_is_met_on_time() -> None:
    assert fired(backlog_at(10.5, EveryMinute("skip"))) == []
    assert fired(backlog_at(10.01, EveryMinute("skip"))) == [minute(10)]


def test_an_instant_older_than_the_limit_is_missed_with_the_limit_named() -> None:
    backlog = backlog_at(3.9, EveryMinute(catch_up_within=timedelta(seconds=30)))

    assert fired(backlog) == []
    assert [run.reason for run in backlog.missed] == ["over 30 s late, the event's catch-up limit"]


def test_an_instant_met_on_time_fires_whatever_the_limit_is() -> None:
    assert fired(backlog_at(1.01, EveryMinute(catch_up_within=timedelta(0)))) == [minute(1)]


def test_all_fires_at_most_a_thousand() -> None:
    backlog = backlog_at(ALL_LIMIT + 5, EveryMinute("all", timedelta(days=365)))

    assert fired(backlog) == [minute(number) for number in range(6, ALL_LIMIT + 6)]
    assert [(run.count, run.reason) for run in backlog.missed] == [(5, "more than 1000 runs were due at once")]


def test_the_last_missed_instant_is_the_one_before_those_that_fire() -> None:
    [run] = backlog_at(ALL_LIMIT + 5, EveryMinute("all", timedelta(days=365))).missed

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
    event = EveryMinute()

    [due] = backlog_of(event, anchor=ANCHOR, decided=ANCHOR, previous=None, now=minute(1) + late).fires

    assert (due.kind, missed_because(EveryMinute("skip"), late) is None) == (kind, kind is DecisionKind.FIRED)


def test_a_clock_that_always_runs_fires_each_instant_after_the_decided_one_up_to_the_end() -> None:
    found = fires_on_time(EveryMinute(), anchor=ANCHOR, decided=minute(2), previous=minute(2), until=minute(5))

    assert found == [to_ms(minute(number)) // 1000 for number in (3, 4, 5)]


@pytest.mark.parametrize("catch_up", ["latest", "all", "skip"])
@given(
    away=st.integers(min_value=0, max_value=30_000),
    decided=st.integers(min_value=0, max_value=20),
    within=st.integers(min_value=0, max_value=400),
)
def test_every_due_instant_is_decided_exactly_once(catch_up: str, away: int, decided: int, within: int) -> None:
    backlog = backlog_at(decided + away / 60, EveryMinute(catch_up, within * MINUTE), decided=decided)

    missed = [run.first + number * MINUTE for run in backlog.missed for number in range(run.count)]
    assert missed + fired(backlog) == [minute(decided + number) for number in range(1, away // 60 + 1)]


def test_the_reason_and_the_firings_are_those_of_a_look_at_each_instant() -> None:
    for catch_up in ("latest", "all", "skip"):
        for tenths in range(0, 30):
            event = EveryMinute(catch_up, timedelta(seconds=90))
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

    backlog = backlog_of(event, anchor=ANCHOR, decided=ANCHOR, previous=None, now=now)

    assert sum(run.count for run in backlog.missed) + len(backlog.fires) == 365 * 86_400
    assert fired(backlog)[-1] == backlog.decided == ANCHOR + timedelta(days=365)
    assert len(event.asked) <= 3, "calls of the trigger"
    assert sum(found.made for found in event.asked) <= ALL_LIMIT + 10, "instants that were made"
