"""An event: a named entry of the clock file."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Literal

from clock.timetable.action import Action, Enqueue, PackedPush
from clock.timetable.triggers.adjustments import NONE, Adjustments
from clock.timetable.triggers.counting import Counting, written
from clock.timetable.triggers.intervals import Trigger
from clock.timetable.triggers.until import Moment
from clock.timetable.triggers.zone_offsets import FOREVER, to_datetime, to_seconds

CatchUp = Literal["latest", "all", "skip"]
Overlap = Literal["allow", "skip", "queue_one"]


@dataclass(frozen=True, slots=True)
class Event:
    """When, what, on which condition.

    `schedule` says when in words; `declaration` adds all that due instants depend on: its change moves the anchor.
    `asks_again`: a due instant that the condition refuses does not use up the period (Clockwork's form).
    `overlap` says what becomes of a due instant while the job of the one before is still at work.
    `was` are the names that it had before, the oldest first: what the ledger holds under them is its own.
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
    asks_again: bool = False
    was: tuple[str, ...] = ()

    @property
    def enqueues(self) -> bool:
        """Whether the action pushes a job; else it is code that runs in the clock."""
        return isinstance(self.action, Enqueue)

    @property
    def packed_push(self) -> PackedPush | None:
        """What the action pushes, where that is known without running it."""
        return self.action.packed if isinstance(self.action, Enqueue) else None

    def next_after(
        self, after: datetime, *, anchor: datetime, previous: datetime | None = None, counted: str = ""
    ) -> datetime | None:
        """The first due instant strictly after `after`, of the event anchored at `anchor`; None: never.

        All instants are aware, in UTC, the anchor a whole second. `previous` may give the last due instant not
        after `after`, which saves work; it never changes the answer. `counted` is what the ledger has of an event
        that asks its condition again; without it, all that was due before has counted. Only Clockwork's form may
        be due at its anchor: ask from a second before it.
        """
        if self.asks_again and counted:
            found = self.asked_between(to_seconds(after), FOREVER, anchor=anchor, counted=counted)
        else:
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

    def asked_between(self, after: int, end: int, *, anchor: datetime, counted: str) -> Iterable[int]:
        """When an event that asks again asks its condition in (after, end], as long as that refuses.

        In seconds since 1970. `counted` is what the ledger holds of it, as `counted_from` gives it.
        """
        counting, start = Counting(self.trigger), to_seconds(anchor)
        return counting.asked_between(after, end, start, counting.read(counted, start, None))

    def counted_from(self, counted: str, *, anchor: datetime, previous: datetime | None) -> str:
        """What the next due instant counts from, if the ledger has `counted`; it may have nothing valid.

        Without it, all due instants up to `previous` count. Empty for an event that does not ask again.
        """
        if not self.asks_again:
            return ""
        last = None if previous is None else to_seconds(previous)
        return written(Counting(self.trigger).read(counted, to_seconds(anchor), last))

    def counted_after(self, due: datetime, *, anchor: datetime, counted: str) -> str:
        """What is counted from once the due instant has counted: its condition did not refuse it."""
        counting, start = Counting(self.trigger), to_seconds(anchor)
        return written(counting.after(to_seconds(due), start, counting.read(counted, start, None)))

    def last_counted(self, *, anchor: datetime, counted: str) -> datetime | None:
        """The latest due instant that counted; None: none has."""
        counting, start = Counting(self.trigger), to_seconds(anchor)
        last = counting.last(start, counting.read(counted, start, None))
        return None if last is None else to_datetime(last)

    def asked_again_after(self, previous: datetime | None, *, anchor: datetime, counted: str) -> bool:
        """Whether `previous`, the last instant decided, did not count, so that the condition is asked again."""
        if not self.asks_again or previous is None:
            return False
        return self.last_counted(anchor=anchor, counted=counted) != previous

    def run(self, due: datetime) -> object:
        """Run the action for the firing at `due`; returns what the action returns."""
        return self.action(due, self.zone)

    def __str__(self) -> str:
        return f"{self.name}: {self.declaration}: {self.action}"


def wrong_rename(event: Event, names: Container[str]) -> str | None:
    """Why the event cannot have had its old names, if other events have `names`; None: it can."""
    for old in event.was:
        if old == event.name:
            return f"was={old!r} is its own name; was= takes the names that it had before"
        if old in names:
            return f"was={old!r} is the name of another event; an event and its old name cannot both be declared"
    return None
