"""The events by next due instant: a look costs what is due, however many events there are."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from operator import itemgetter

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
        self._places = count()
        self.replace((), planned)

    @property
    def first(self) -> Planned | None:
        """The event that is due first of all; None: nothing will ever be due. May be asked from any thread."""
        _, _, item = next(iter(self._heap), (None, None, None))
        return item

    @property
    def next_due(self) -> datetime | None:
        """The earliest due instant of all; None: nothing will ever be due. May be asked from any thread."""
        due, _, _ = next(iter(self._heap), (None, None, None))
        return due

    @property
    def planned(self) -> list[Planned]:
        """All events, in their order."""
        return list(self._present.values())

    def take_due(self, now: datetime) -> list[Planned]:
        """Take out what is due at `now`. Give each back with `put_back`."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        return due

    def put_back(self, item: Planned) -> None:
        """Plan the event anew after its last decided due instant, unless it has been taken out meanwhile."""
        item.look_ahead()
        if item.next_due is not None and self._present.get(item.event.name) is item:
            heapq.heappush(self._heap, (item.next_due, item.place, item))

    def replace(self, gone: Collection[str], planned: Iterable[Planned]) -> None:
        """Take out the events named, and take in others, which have looked ahead."""
        present = {name: item for name, item in self._present.items() if name not in gone}
        heap = [entry for entry in self._heap if entry[2].event.name not in gone]
        for item in planned:
            item.place = next(self._places)
            present[item.event.name] = item
            if item.next_due is not None:
                heap.append((item.next_due, item.place, item))
        heapq.heapify(heap)
        self._present, self._heap = present, heap

    def refresh(self, events: Iterable[Event]) -> None:
        """Take these events in the place of their namesakes, which are due at the same instants."""
        for event in events:
            if event.name in self._present:
                self._present[event.name].event = event

    def due_by(self, now: datetime) -> list[tuple[str, datetime]]:
        """The names of the events that are due at `now`, and since when."""
        return [(item.event.name, due) for due, _, item in sorted(self._heap, key=itemgetter(0, 1)) if due <= now]
