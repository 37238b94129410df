"""Decides which of an event's undecided due instants fire, and which are missed.

A due instant is on time if the clock sees it within `ON_TIME`. Older ones were due while no clock ran; the event's
`catch_up` decides about them. All functions here are pure, so all clocks and rehearsals decide the same.

An event in Clockwork's form asks its condition again after a refusal, and whether a due instant counts depends on
the answer. So such an event has one firing at a time. Instants that are too late are missed as one run, and do not
use up the period.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from clock.clocks import from_ms, to_ms
from clock.store.ledger.decision import DecisionKind
from clock.timetable import Event
from clock.timetable.periods import short_form
from clock.timetable.triggers.wall_times import span_of

ON_TIME = timedelta(seconds=10)  # longer than any delay of a healthy loop, shorter than a restart
ALL_LIMIT = 1_000  # the most due instants of one event that are caught up, however long the clock was down


class Due(msgspec.Struct, frozen=True):
    """A due instant that fires. `previous` is the event's due instant before it; None: it is the first one.

    `after` is the last decided instant in the ledger when its turn comes. For an event that asks its condition
    again: `counted` is the ledger's value if this due instant does not count, and if it does; `is_asked_again`:
    the condition refused the instant before.
    """

    at: datetime
    previous: datetime | None
    after: datetime
    caught_up: bool = False
    counted: tuple[str, str] = ("", "")
    is_asked_again: bool = False

    @property
    def kind(self) -> DecisionKind:
        """The kind of the firing, if nothing refuses it."""
        return DecisionKind.CAUGHT_UP if self.caught_up else DecisionKind.FIRED


@dataclass(frozen=True, slots=True)
class Missed:
    """A run of due instants that do not fire: the first, the last (`at`), the number and the reason.

    `after` is the last decided instant in the ledger when its turn comes. `counted` is the ledger's value for an
    event that asks its condition again.
    """

    first: datetime
    at: datetime
    after: datetime
    count: int
    reason: str
    counted: str = ""


@dataclass(frozen=True, slots=True)
class Backlog:
    """An event's undecided due instants: the missed ones, then those that fire. `decided` is the last one."""

    missed: tuple[Missed, ...]
    fires: tuple[Due, ...]
    decided: datetime


def due_of(
    event: Event, at: datetime, *, anchor: datetime, decided: datetime, counted: str, caught_up: bool = False
) -> Due:
    """The firing at `at`, which the condition may refuse."""
    return Due(
        at,
        event.last_counted(anchor=anchor, counted=counted),
        decided,
        caught_up=caught_up,
        counted=(counted, event.counted_after(at, anchor=anchor, counted=counted)),
    )


def backlog_by_asking(
    event: Event, *, anchor: datetime, decided: datetime, counted: str, now: datetime
) -> Backlog:
    """Sort the instants in (decided, now] at which the event asks its condition: the last one fires."""
    late = _too_late(event, anchor, decided, counted, now)
    missed, after = ([late], late.at) if late else ([], decided)
    following: list[datetime] = []
    at = event.next_after(after, anchor=anchor, counted=counted)
    while at is not None and at <= now:
        following.append(at)
        if event.catch_up == "all":
            break
        # Assume that none is refused: a refused one is followed by others.
        answered = event.counted_after(at, anchor=anchor, counted=counted)
        at = event.next_after(at, anchor=anchor, counted=answered)
    if not following:
        return Backlog(tuple(missed), (), decided=after)
    *superseded, last = following
    if superseded:
        reason = SUPERSEDED[event.catch_up]
        missed.append(Missed(superseded[0], superseded[-1], after, len(superseded), reason, counted))
        after = superseded[-1]
    due = due_of(event, last, anchor=anchor, decided=after, counted=counted, caught_up=now - last > ON_TIME)
    return Backlog(tuple(missed), (due,), decided=due.at)


def _too_late(event: Event, anchor: datetime, decided: datetime, counted: str, now: datetime) -> Missed | None:
    """The run of instants that are too late to fire; None: no instant is too late."""
    limit = ON_TIME if event.catch_up == "skip" else max(ON_TIME, event.catch_up_within)
    end = to_ms(now - limit - timedelta(milliseconds=1)) // 1000
    span = span_of(event.asked_between(to_ms(decided) // 1000, end, anchor=anchor, counted=counted))
    if span is None:
        return None
    begin, stop = _instant(span.first), _instant(span.last[-1])
    return Missed(begin, stop, decided, span.count, missed_because(event, now - stop) or "", counted)


def backlog_of(
    event: Event, *, anchor: datetime, decided: datetime, previous: datetime | None, now: datetime
) -> Backlog:
    """Sort the due instants in (decided, now] into missed ones and those that fire; `previous` is the one before.

    All instants are aware, in UTC. If the trigger can count them, a year of missed ones costs no more than an
    hour.
    """
    missed: list[Missed] = []
    fires: list[Due] = []
    after, begin = decided, to_ms(decided) // 1000
    for end, reason in _sections(event, now):
        most = 0 if reason else ALL_LIMIT if event.catch_up == "all" else 1
        dues = event.due_between(begin, end, anchor=anchor, previous=previous) if end > begin else ()
        begin, span = max(begin, end), span_of(dues, most + 1)
        if span is None:
            continue
        firing = span.last[-most:] if most else ()
        if lost := span.count - len(firing):
            last = _instant(span.last[-len(firing) - 1])
            missed.append(Missed(_instant(span.first), last, after, lost, reason or SUPERSEDED[event.catch_up]))
            previous = after = last
        for at in map(_instant, firing):
            fires.append(Due(at, previous, after, caught_up=now - at > ON_TIME))
            previous = after = at
    return Backlog(tuple(missed), tuple(fires), decided=after)


def _sections(event: Event, now: datetime) -> Iterator[tuple[int, str | None]]:
    """The parts of the time until `now`: the last second, and why instants do not fire (None: they fire)."""
    yield _before(now, max(ON_TIME, event.catch_up_within)), _over_limit(event)
    if event.catch_up == "skip":
        yield _before(now, ON_TIME), NO_CATCH_UP
    yield to_ms(now) // 1000, None


def _before(now: datetime, age: timedelta) -> int:
    """The last second since 1970 that was more than `age` ago."""
    return ((now - _EPOCH) // _TICK - age // _TICK - 1) // 1_000_000


def _instant(seconds: int) -> datetime:
    return from_ms(seconds * 1000)


def fires_on_time(
    event: Event, *, anchor: datetime, decided: datetime, previous: datetime | None, until: datetime
) -> list[int]:
    """The due instants in (decided, until] of a clock that runs all the time, in seconds since 1970.

    The result is the same as of `backlog_of` at each due instant: no instant is late here, so none is missed.
    """
    after, end = to_ms(decided) // 1000, to_ms(until) // 1000
    dues = event.due_between(after, end, anchor=anchor, previous=previous)
    return list(iter(dues))  # not list(dues): it asks for the length first, which computes them all


def missed_because(event: Event, late: timedelta) -> str | None:
    """Why a due instant that is this late does not fire; None: it fires."""
    if late <= ON_TIME:
        return None
    if late > event.catch_up_within:
        return _over_limit(event)
    return NO_CATCH_UP if event.catch_up == "skip" else None


def _over_limit(event: Event) -> str:
    return f"over {short_form(event.catch_up_within)} late, the event's catch-up limit"


NO_CATCH_UP = "the event does not catch up"

#: Why an instant is missed if a later one fires.
SUPERSEDED = {
    "latest": 'only the latest run was caught up (catch_up="latest")',
    "skip": 'only the latest run was made (catch_up="skip")',
    "all": f"more than {ALL_LIMIT} runs were due at once",
}

_EPOCH = from_ms(0)
_TICK = timedelta(microseconds=1)
