"""Events: what a clock has decided, what is due next, and pausing, resuming, firing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from clock.api.objects import awaitable, connected, instant
from clock.errors import ConfigurationError, UnknownEvent, UnreadableTime
from clock.inspection.audit import user_of_process
from clock.inspection.events.event_rows import EventRow, event_rows_of, events
from clock.inspection.events.repairs import event_to_pause, event_to_resume, pause_event, resume_event
from clock.inspection.events.schedules import with_schedules
from clock.inspection.events.why import AskedPeriod, latest_of_all, periods_of, recorded
from clock.inspection.events.why import why as explain
from clock.job.flow.limits import check_count
from clock.job.push.client import clock as client_clock
from clock.printable import brief
from clock.store import Redis, listing
from clock.store.ledger import history
from clock.store.ledger.history import Record
from clock.store.ledger.ledger import RedisLedger
from clock.store.ledger.pauses import Pause
from clock.ticker.backfill_plan import BackfillPlan, plan_backfill
from clock.ticker.requested_runs import Backfill, BackfilledRun, fire_manually
from clock.timetable import Event, Timetable, find_event, load, with_rows
from clock.timetable.periods import YEARS

ACCEPTED = f"an aware datetime in the years {YEARS[0]} to {YEARS[1]}"


@dataclass(frozen=True, slots=True)
class EventState:
    """The present state of an event.

    `next_due` is its oldest undecided due instant, which may be past; None: unknown, or never. `last` is the
    newest record of its history. `is_known`: a clock has run it with its current schedule. `event` is its
    declaration; None: no timetable declares it.
    """

    name: str
    declaration: str
    next_due: datetime | None
    last: Record | None
    pause: Pause | None
    is_known: bool
    event: Event | None


class Events:
    """The events of a timetable, or, without one, those that clocks have noted in Redis.

    Its methods raise StoreUnavailable. Each has an awaitable twin, whose name starts with `a`. `redis` is a
    connection of `api.connect`; without it the process's own connection is used.
    """

    def __init__(self, timetable: Timetable | None = None, *, redis: Redis | None = None) -> None:
        self._redis = connected(redis)
        self.timetable = with_schedules(timetable, self._redis) if timetable else None

    @classmethod
    def of_file(cls, path: str | os.PathLike[str] = "lib/clock.py", *, redis: Redis | None = None) -> Events:
        """The events of the clock file at `path`, which is run. Raises ConfigurationError, DeclarationError."""
        return cls(load(path), redis=redis)

    def states(self) -> list[EventState]:
        """Each event, those of databases' rows as well, which are read now. Raises SourceFailed."""
        if self.timetable:
            return list(map(_state_of, events(self._redis, with_rows(self.timetable), instant())))
        return self._noted(list(listing.ledger(self._redis)))

    def get(self, name: str) -> EventState:
        """One event. Raises UnknownEvent."""
        for state in self.states():
            if state.name == name:
                return state
        known = listing.ledger(self._redis)
        if name not in known:
            raise UnknownEvent(name, list(self.timetable.by_name if self.timetable else known))
        [found] = self._noted([name])
        return found

    def history(self, name: str, count: int = 20) -> list[Record]:
        """The latest `count` records of an event, newest first (1,000 at most are kept).

        A record has `decision` and `due` (ms since 1970), and, as the case may be, `late_ms`, `reason`, `host`,
        `release`, `jobs`, `jids`, and `outcomes` by jid.
        """
        check_count("count", count)
        return list(history.read(self._redis, name, count))

    def latest(self, count: int = 20) -> list[tuple[str, Record]]:
        """The latest `count` records of all events together, each with its event's name, oldest first."""
        check_count("count", count)
        return latest_of_all(self._redis, count, self.timetable.by_name if self.timetable else ())

    def why(self, name: str, at: datetime | str) -> list[str]:
        """Lines that explain what happened to an event at a time, or what will happen.

        `at` is an aware datetime, which means its second, or a text: a second, a minute or a day in the
        event's zone, which may start with the name of a day: "yesterday 06:00".
        Raises UnknownEvent, UnreadableTime.
        """
        try:
            event = self._find(name)
        except UnknownEvent:
            if name not in listing.ledger(self._redis):
                raise
            return [line for span in _spans(at, UTC) for line in recorded(self._redis, name, span)]
        time = instant()
        return [line for span in _spans(at, event.zone) for line in explain(self._redis, event, span, time)]

    def pause(
        self,
        name: str | None,
        *,
        until: datetime | timedelta | None = None,
        note: str | None = None,
        by: str | None = None,
    ) -> Pause:
        """Pause an event, or with None the whole clock. Runs that are due during the pause are never caught up.

        `until`: its end, an aware datetime or a duration; None: until `resume`. `by`: who; None: this process's
        user. Raises UnknownEvent, ConfigurationError for an end that is past.
        """
        time = instant()
        end = None if until is None else _end(until, time)
        event = event_to_pause(self._redis, name, self._find)
        return pause_event(self._redis, event, time, until=end, by=by or user_of_process(), note=note)

    def resume(self, name: str | None) -> Pause | None:
        """End the pause of an event, or with None of the whole clock; None: it was not paused.

        Raises UnknownEvent.
        """
        event = event_to_resume(self._redis, name, self._find)
        return resume_event(self._redis, event, instant())

    def fire(self, name: str) -> Sequence[str]:
        """Run an event's action now, outside its schedule; the jids of its jobs, which are pushed.

        Its code runs in this process. The history records it as `manual`; its due instants are not touched.
        Needs a timetable. Raises UnknownEvent, ActionFailed.
        """
        timetable, event = self._declarations(name), self._find(name)
        return fire_manually(timetable, event, ledger=RedisLedger(self._redis), clock=client_clock()).jids

    def plan_backfill(
        self, name: str, start: datetime, end: datetime, *, beyond_history: bool = False
    ) -> BackfillPlan:
        """The runs of an event in [start, end), aware instants, and what `backfill` does with each of them.

        Changes nothing. Needs a timetable. Raises UnknownEvent, ConfigurationError for over 10,000 runs.
        """
        event = self._find(name)
        for given in (start, end):
            if not _is_accepted(given):
                raise ConfigurationError(f"{brief(given)} is not a start or an end of a period; pass {ACCEPTED}")
        return plan_backfill(self._redis, event, start, end, now=instant(), beyond_history=beyond_history)

    def backfill(
        self,
        name: str,
        start: datetime,
        end: datetime,
        *,
        beyond_history: bool = False,
        per_second: float | None = None,
    ) -> list[BackfilledRun]:
        """Run an event for the due instants in [start, end) that did not run, with the jids of its schedule.

        It skips runs that were made, so it may be repeated. `per_second` limits the runs in a second.
        `beyond_history`: instants that are older than the history run, too, although they may have run before.
        Needs a timetable. Raises UnknownEvent, ConfigurationError, ClockError if the action fails.
        """
        timetable = self._declarations(name)
        plan = self.plan_backfill(name, start, end, beyond_history=beyond_history)
        return list(Backfill(plan, timetable, self._redis, client_clock(), per_second).run())

    def _find(self, name: str) -> Event:
        return find_event(self._declarations(name), name)

    def _declarations(self, name: str) -> Timetable:
        if self.timetable is None:
            raise UnknownEvent(name, [])
        return self.timetable

    def _noted(self, names: Sequence[str]) -> list[EventState]:
        """Events of the ledger that no timetable declares."""
        return list(map(_state_of, event_rows_of(self._redis, names, {}, instant(), 1)))

    astates = awaitable(states)
    aget = awaitable(get)
    ahistory = awaitable(history)
    alatest = awaitable(latest)
    awhy = awaitable(why)
    apause = awaitable(pause)
    aresume = awaitable(resume)
    afire = awaitable(fire)
    aplan_backfill = awaitable(plan_backfill)
    abackfill = awaitable(backfill)


def _state_of(row: EventRow) -> EventState:
    last = dict(row.last) if row.last else None
    return EventState(row.name, row.declaration, row.next_due, last, row.pause, row.is_known, row.event)


def _end(until: object, now: datetime) -> datetime:
    """The end of a pause. Raises ConfigurationError."""
    try:
        end = now + until if isinstance(until, timedelta) else until
    except OverflowError:
        end = None
    if not (isinstance(end, datetime) and end.tzinfo):
        raise ConfigurationError(
            f"until is {brief(until)}; it must be an aware datetime up to the year 9999, or a timedelta"
        )
    if end <= now:
        raise ConfigurationError(f"until {end.isoformat()} is in the past")
    return end


def _is_accepted(at: object) -> bool:
    return isinstance(at, datetime) and at.tzinfo is not None and YEARS[0] <= at.year <= YEARS[1]


def _spans(at: datetime | str, zone: tzinfo) -> list[AskedPeriod]:
    """The spans of time that are meant. Raises UnreadableTime."""
    if isinstance(at, str):
        return periods_of(at, zone, instant())
    if not _is_accepted(at):
        raise UnreadableTime(str(at), f"must be {ACCEPTED}, or a text")
    start = at.astimezone(UTC)
    return [AskedPeriod(start, start + timedelta(seconds=1))]
