"""The events by next due instant: a look costs what is due, however many events there are."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from clock.timetable import Event


@dataclass(slots=True)
class Planned:
    """An event with what the ledger says of it, and its next due instant (None: never again)."""

    event: Event
    anchor: datetime
    decided: datetime
    next_due: datetime | None = None
    place: int = 0

    @property
    def previous(self) -> datetime | None:
        """The due instant decided last; None: there was none."""
        return self.decided if self.decided > self.anchor else None

    def look_ahead(self) -> None:
        """Set the next due instant from the last decided one."""
        self.next_due = self.event.next_after(self.decided, anchor=self.anchor, previous=self.previous)


class Agenda:
    """Planned events, those due first in front; events due at one instant stand in the clock file's order."""

    def __init__(self, planned: Iterable[Planned]) -> None:
        self._heap: list[tuple[datetime, int, Planned]] = []
        self._present: dict[str, Planned] = {}
        for item in planned:
            item.place = len(self._present)
            self._present[item.event.name] = item
            item.look_ahead()
            if item.next_due is not None:
                self._heap.append((item.next_due, item.place, item))
        heapq.heapify(self._heap)
        self._places = len(self._present)

    @property
    def first(self) -> Planned | None:
        """The event that is due first of all; None: nothing will ever be due."""
        while self._heap and self._heap[0][2] is not self._present.get(self._heap[0][2].event.name):
            heapq.heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    @property
    def next_due(self) -> datetime | None:
        """The earliest due instant of all; None: nothing will ever be due."""
        return self.first.next_due if self.first else None

    @property
    def planned(self) -> list[Planned]:
        """All events, in their order."""
        return list(self._present.values())

    def take_due(self, now: datetime) -> list[Planned]:
        """Take out what is due at `now`. Give each back with `put_back`."""
        due = []
        while (item := self.first) is not None and item.next_due is not None and item.next_due <= now:
            heapq.heappop(self._heap)
            due.append(item)
        return due

    def put_back(self, item: Planned) -> None:
        """Plan the event anew after its last decided due instant."""
        item.look_ahead()
        if item.next_due is not None:
            heapq.heappush(self._heap, (item.next_due, item.place, item))

    def replace(self, gone: Iterable[str], planned: Iterable[Planned]) -> None:
        """Take out the events named, and take in others, which have looked ahead already."""
        for name in gone:
            self._present.pop(name, None)
        for item in planned:
            item.place = self._places
            self._places += 1
            self._present[item.event.name] = item
            if item.next_due is not None:
                heapq.heappush(self._heap, (item.next_due, item.place, item))

    def due_by(self, now: datetime) -> list[str]:
        """The names of the events that are due at `now`."""
        due = [item for item in self._present.values() if item.next_due is not None and item.next_due <= now]
        return [item.event.name for item in sorted(due, key=attrgetter("next_due", "place"))]
