"""The events by next due instant. Taking what is due costs time only for the due events, not for all events."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from operator import attrgetter

from msgspec.structs import replace

from clock.clocks import to_ms
from clock.ticker.planning.catch_up import Backlog, Due, backlog_by_asking, backlog_of, due_of
from clock.timetable import Event

_PLACE = attrgetter("place")
REMOVED = -1  # the place of an event that is not in the queue any more


@dataclass(slots=True)
class Planned:
    """An event, its ledger entry and its next due instant (None: never again)."""

    event: Event
    anchor: datetime
    decided: datetime
    previous: datetime | None = None  # the due instant decided last; None: the event has not been due yet
    next_due: datetime | None = None
    place: int = 0
    counted: str = ""  # for an event that asks its condition again: what its period counts from
    is_asked_again: bool = False  # its condition refused the last due instant

    def due(self, at: datetime) -> Due:
        """The firing at the next due instant, on time."""
        if not self.event.options.asks_again:
            return Due(at, self.previous, self.decided)
        due = due_of(self.event, at, anchor=self.anchor, decided=self.decided, counted=self.counted)
        return replace(due, is_asked_again=self.is_asked_again)

    def backlog(self, now: datetime) -> Backlog:
        """The undecided due instants at `now`: those that fire and those that are missed."""
        if self.event.options.asks_again:
            return backlog_by_asking(
                self.event, anchor=self.anchor, decided=self.decided, counted=self.counted, now=now
            )
        return backlog_of(self.event, anchor=self.anchor, decided=self.decided, previous=self.previous, now=now)

    def take_over(self, decided: datetime, due: Due | None) -> None:
        """Note that due instants up to `decided` are being decided. `due` counts until it is refused."""
        self.decided = self.previous = decided
        self.is_asked_again = False
        if due is not None:
            self.counted = due.counted[1]

    def look_ahead(self) -> None:
        """Set the next due instant from the last decided one."""
        self.next_due = self.event.next_after(
            self.decided, anchor=self.anchor, previous=self.previous, counted=self.counted
        )


class DueQueue:
    """The planned events, earliest first. Events due at one instant keep the clock file's order."""

    def __init__(self, planned: Iterable[Planned]) -> None:
        self._instants: list[datetime] = []  # a heap of the due instants without duplicates
        self._due: dict[datetime, list[Planned]] = {}  # the first event of an instant has the lowest place
        self.planned: list[Planned] = []  # all events, in their order
        self._named: dict[str, Planned] | None = None  # the same by name; it is made when it is needed
        self._places = count()
        self.replace((), planned)

    @property
    def next_due(self) -> datetime | None:
        """The earliest due instant; None: no event is due again. May be called from any thread."""
        return next(iter(self._instants), None)

    @property
    def first_due(self) -> tuple[str | None, int]:
        """The event that is due first, and its due instant in ms; (None, 0) if no event is due again."""
        due = self.next_due
        return (self._due[due][0].event.name, to_ms(due)) if due else (None, 0)

    def count_due(self, now: datetime) -> int:
        """The number of events due at the earliest instant; 0 if that is after `now`."""
        return len(self._due[self._instants[0]]) if self._instants and self._instants[0] <= now else 0

    def take_due(self, now: datetime) -> list[Planned]:
        """Take out the events that are due at `now`. Return each with `put_back`."""
        taken = []
        while self._instants and self._instants[0] <= now:
            due = self._due.pop(heapq.heappop(self._instants))
            due.sort(key=_PLACE)
            taken += due
        return taken

    def put_back(self, item: Planned) -> None:
        """Plan the event by its last decided due instant, unless it has been removed since."""
        item.look_ahead()
        if item.place != REMOVED:
            self._add(item)

    def ask_again(self, name: str, due: Due) -> None:
        """Plan an event again after its condition refused `due`, if no later instant has been taken since."""
        item = self._by_name().get(name)
        if item is None or item.decided != due.at:
            return
        item.counted, item.is_asked_again = due.counted[0], True
        if item.next_due and any(other is item for other in self._due.get(item.next_due, ())):
            place, item.place = item.place, REMOVED
            self._remove_from([item.next_due])
            item.place = place
            self.put_back(item)

    def replace(self, gone: Iterable[str], planned: Iterable[Planned]) -> None:
        """Remove the named events, and add others whose `next_due` is set."""
        out = [item for name in gone if (item := self._by_name().get(name)) is not None]
        for item in out:
            item.place = REMOVED
        if out:
            self.planned = [item for item in self.planned if item.place != REMOVED]
            self._remove_from({item.next_due for item in out if item.next_due is not None})
        for item in planned:
            item.place = next(self._places)
            self.planned.append(item)
            self._add(item)
        self._named = None

    def _by_name(self) -> dict[str, Planned]:
        """The events by name. Few clocks ask for it, and it takes 4 MB for 100,000 events."""
        if self._named is None:
            self._named = {item.event.name: item for item in self.planned}
        return self._named

    def refresh(self, events: Iterable[Event]) -> None:
        """Replace events by new ones of the same name, which are due at the same instants."""
        for event in events:
            if item := self._by_name().get(event.name):
                item.event = event

    def due_by(self, now: datetime) -> list[tuple[str, datetime]]:
        """The names of the events that are due by `now`, with their due instants."""
        return [
            (item.event.name, instant)
            for instant in sorted(self._instants)
            if instant <= now
            for item in sorted(self._due[instant], key=_PLACE)
        ]

    def _remove_from(self, instants: Collection[datetime]) -> None:
        """Keep at these instants only the events that are in the queue."""
        for instant in instants:
            left = [item for item in self._due.pop(instant, ()) if item.place != REMOVED]
            if left:
                self._due[instant] = sorted(left, key=_PLACE)
        if not all(instant in self._due for instant in instants):
            left_over = [instant for instant in self._instants if instant in self._due]
            heapq.heapify(left_over)
            self._instants = left_over

    def _add(self, item: Planned) -> None:
        if item.next_due is None:
            return
        if (items := self._due.get(item.next_due)) is not None:
            item.next_due = items[0].next_due  # one object for all: a third of the plan's memory
            items.insert(0 if item.place < items[0].place else len(items), item)
        else:
            self._due[item.next_due] = [item]
            heapq.heappush(self._instants, item.next_due)
