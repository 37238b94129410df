"""An event: a named entry of the clock file."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Literal

from clock.timetable.action import Action, Enqueue, PackedPush
from clock.timetable.adjustments import NONE, Adjustments
from clock.timetable.local_time import FOREVER, to_datetime, to_seconds
from clock.timetable.prose import explain
from clock.timetable.triggers import Trigger
from clock.timetable.until import Moment

CatchUp = Literal["latest", "all", "skip"]
Overlap = Literal["allow", "skip", "queue_one"]


@dataclass(frozen=True, slots=True)
class Event:
    """When, what, on which condition.

    `schedule` says when in words; `declaration` adds all that due instants depend on: its change moves the anchor.
    `overlap` says what becomes of a due instant while the job of the one before is still at work.
    """

    name: str
    schedule: str
    declaration: str
    zone: tzinfo
    trigger: Trigger
    action: Action
    source: str
    condition: Callable[[datetime], object] | None = None
    thread: bool = False
    catch_up: CatchUp = "latest"
    catch_up_within: timedelta = timedelta(hours=1)
    overlap: Overlap = "allow"
    description: str | None = None
    tags: frozenset[Hashable] = frozenset()
    until: Moment | None = None
    adjustments: Adjustments = NONE

    @property
    def enqueues(self) -> bool:
        """Whether the action pushes a job; else it is code that runs in the clock."""
        return isinstance(self.action, Enqueue)

    @property
    def packed_push(self) -> PackedPush | None:
        """What the action pushes, where that is known without running it."""
        return self.action.packed if isinstance(self.action, Enqueue) else None

    def next_after(
        self, after: datetime, *, anchor: datetime, previous: datetime | None = None
    ) -> datetime | None:
        """The first due instant strictly after `after`, of the event anchored at `anchor`; None: never.

        All instants are aware, in UTC, the anchor a whole second. `previous` may give the last due instant not
        after `after`, which saves work; it never changes the answer. Only Clockwork's form may be due at its
        anchor: ask from a second before it.
        """
        found = self.due_between(to_seconds(after), FOREVER, anchor=anchor, previous=previous)
        return next(map(to_datetime, found), None)

    def due_between(
        self, after: int, end: int, *, anchor: datetime, previous: datetime | None = None
    ) -> Iterable[int]:
        """The due instants in (after, end], lazily and in order, all in seconds since 1970 in UTC.

        It is what `next_after` gives one by one, many times faster.
        """
        decided = None if previous is None else to_seconds(previous)
        return self.trigger.due_between(after, end, to_seconds(anchor), decided)

    def explain(self, now: datetime | None = None, *, anchor: datetime | None = None) -> str:
        """The event in a sentence, for people; with `now`, it ends with the next due instant in the event's zone.

        `anchor` is when the event was first seen; without it, an instant that depends on it is left out.
        """
        return explain(self, now, anchor)

    def run(self, due: datetime, previous: datetime | None) -> object:
        """Run the action for the firing at `due`; what it returns."""
        return self.action(due, self.zone)

    def __str__(self) -> str:
        return f"{self.name}: {self.declaration}: {self.action}"
