"""The events by next due instant: a look costs what is due, however many events there are."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

from clock.timetable import Event


@dataclass(slots=True)
class Planned:
    """An event with what the ledger says of it, and its next due instant (None: never again)."""

    event: Event
    anchor: datetime
    decided: datetime
    next_due: datetime | None = None

    def look_ahead(self) -> None:
        """Set the next due instant from the last decided one."""
        previous = self.decided if self.decided > self.anchor else None
        self.next_due = self.event.next_after(self.decided, anchor=self.anchor, previous=previous)


class Agenda:
    """Planned events, those due first in front; events due at one instant stand in the clock file's order."""

    def __init__(self, planned: Iterable[Planned]) -> None:
        self._heap: list[tuple[datetime, int, Planned]] = []
        for place, item in enumerate(planned):
            item.look_ahead()
            if item.next_due is not None:
                self._heap.append((item.next_due, place, item))
        heapq.heapify(self._heap)

    @property
    def next_due(self) -> datetime | None:
        """The earliest due instant of all; None: nothing will ever be due."""
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: datetime) -> list[tuple[int, Planned]]:
        """Take out what is due at `now`: (place in the clock file, event). Give each back with `put_back`."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            _, place, item = heapq.heappop(self._heap)
            due.append((place, item))
        return due

    def put_back(self, place: int, item: Planned) -> None:
        """Plan the event anew after its last decided due instant."""
        item.look_ahead()
        if item.next_due is not None:
            heapq.heappush(self._heap, (item.next_due, place, item))

    def due_by(self, now: datetime) -> list[str]:
        """The names of the events that are due at `now`."""
        return [item.event.name for due, _, item in sorted(self._heap, key=itemgetter(0, 1)) if due <= now]
