"""An event: a named entry of the clock file."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import islice
from typing import Literal

from clock.timetable.action import Action, Enqueue
from clock.timetable.monitor import Monitor
from clock.timetable.triggers.adjustments import NONE, Adjustments, Moment, is_quick
from clock.timetable.triggers.counting import Counting
from clock.timetable.triggers.intervals import Trigger
from clock.timetable.triggers.zone_offsets import DAY, FOREVER, to_datetime, to_seconds

CatchUp = Literal["latest", "all", "skip"]
Overlap = Literal["allow", "skip", "queue_one"]

#: Seconds. If anchors that differ by these give the same due instants, the schedule does not depend on its anchor.
_ANCHOR_SHIFTS = (1, DAY, 7 * DAY, 31 * DAY, 366 * DAY)
_SAMPLE = 50  # due instants that are compared


@dataclass(frozen=True, slots=True)
class EventOptions:
    """The options of an event. Events with the same options share one object: a file may have 100,000 events."""

    condition: Callable[[datetime], object] | None = None
    thread: bool = False  # whether the action runs on its own thread
    catch_up: CatchUp = "latest"
    catch_up_within: timedelta = timedelta(hours=1)
    overlap: Overlap = "allow"
    description: str | None = None
    tags: frozenset[Hashable] = frozenset()
    adjustments: Adjustments = NONE
    asks_again: bool = False  # a due instant that the condition refuses does not use up the period
    was: tuple[str, ...] = ()  # the former names, the oldest first
    monitor: Monitor | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """When it is due, what it does, and on which condition."""

    name: str
    schedule: str  # in words
    declaration: str  # with all that the due instants depend on; if it changes, the event gets a new anchor
    zone: tzinfo
    trigger: Trigger
    action: Action
    source: str
    options: EventOptions

    @property
    def condition(self) -> Callable[[datetime], object] | None:
        """The condition; None: the event fires at each due instant."""
        return self.options.condition

    @property
    def catch_up(self) -> CatchUp:
        """Which of the due instants that the clock missed fire."""
        return self.options.catch_up

    @property
    def catch_up_within(self) -> timedelta:
        """How late a missed due instant may fire."""
        return self.options.catch_up_within

    @property
    def overlap(self) -> Overlap:
        """The rule for a due instant while the job of the previous run is unfinished."""
        return self.options.overlap

    @property
    def description(self) -> str | None:
        """The text of `describe`."""
        return self.options.description

    @property
    def tags(self) -> frozenset[Hashable]:
        """The tags."""
        return self.options.tags

    @property
    def until(self) -> Moment | None:
        """The last moment at which the event may be due."""
        return self.options.adjustments.until

    @property
    def monitor(self) -> Monitor | None:
        """The monitor that watches the event."""
        return self.options.monitor

    @property
    def enqueues(self) -> bool:
        """Whether the action pushes a job; otherwise its code runs in the clock."""
        return isinstance(self.action, Enqueue)

    @property
    def prepared(self) -> Enqueue | None:
        """The action, if its push is known without running it."""
        action = self.action
        return action if isinstance(action, Enqueue) and action.is_prepared else None

    @property
    def is_planned_quickly(self) -> bool:
        """Whether `next_after` runs no code of the user's and takes a millisecond at most."""
        return is_quick(self.trigger, self.zone)

    def next_after(
        self, after: datetime, *, anchor: datetime, previous: datetime | None = None, counted: str = ""
    ) -> datetime | None:
        """The first due instant after `after`, of the event anchored at `anchor`; None: never.

        All instants are aware, in UTC; the anchor is a whole second. `previous` is optional: the last due instant
        not after `after`. It saves work and never changes the result. `counted` is the ledger's value for an event
        that asks its condition again; without it, all earlier due instants count. Only Clockwork's form may be due
        at its anchor: call this with a second before it.
        """
        if self.options.asks_again and counted:
            found = self.asked_between(to_seconds(after), FOREVER, anchor=anchor, counted=counted)
        else:
            found = self.due_between(to_seconds(after), FOREVER, anchor=anchor, previous=previous)
        return next(map(to_datetime, found), None)

    def due_between(
        self, after: int, end: int, *, anchor: datetime, previous: datetime | None = None
    ) -> Iterable[int]:
        """The due instants in (after, end], lazily and in order, in seconds since 1970 in UTC."""
        decided = None if previous is None else to_seconds(previous)
        return self.trigger.due_between(after, end, to_seconds(anchor), decided)

    def asked_between(self, after: int, end: int, *, anchor: datetime, counted: str) -> Iterable[int]:
        """When the condition is asked in (after, end], in seconds since 1970, as long as it refuses."""
        return self._counting(counted, anchor).asked_between(after, end)

    def counted_from(self, counted: str, *, anchor: datetime, previous: datetime | None) -> str:
        """The value that the next due instant counts from, by the ledger's `counted`, which may be invalid.

        Without it, all due instants up to `previous` count. Empty for an event that does not ask again.
        """
        return str(self._counting(counted, anchor, previous)) if self.options.asks_again else ""

    def counted_after(self, due: datetime, *, anchor: datetime, counted: str) -> str:
        """The new value once the due instant counts, as its condition did not refuse it."""
        return str(self._counting(counted, anchor).after(to_seconds(due)))

    def last_counted(self, *, anchor: datetime, counted: str) -> datetime | None:
        """The latest due instant that counted; None: there is not one yet."""
        last = self._counting(counted, anchor).last()
        return None if last is None else to_datetime(last)

    def asked_again_after(self, previous: datetime | None, *, anchor: datetime, counted: str) -> bool:
        """Whether `previous`, the last decided instant, did not count, so the condition is asked again."""
        if not self.options.asks_again or previous is None:
            return False
        return self.last_counted(anchor=anchor, counted=counted) != previous

    def _counting(self, counted: str, anchor: datetime, previous: datetime | None = None) -> Counting:
        last = None if previous is None else to_seconds(previous)
        return Counting.read(self.trigger, to_seconds(anchor), counted, last)

    def depends_on_anchor(self, start: datetime, end: datetime) -> bool:
        """Whether the due instants from `start` on, before `end`, depend on the anchor. An interval's do."""
        anchors = [start - timedelta(seconds=shift) for shift in _ANCHOR_SHIFTS]
        low, high = to_seconds(start) - 1, to_seconds(end) - 1
        found = {tuple(islice(self.due_between(low, high, anchor=anchor), _SAMPLE)) for anchor in anchors}
        return len(found) > 1

    def run(self, due: datetime) -> object:
        """Run the action for the firing at `due`; returns what the action returns."""
        return self.action(due, self.zone)

    def __str__(self) -> str:
        return f"{self.name}: {self.declaration}: {self.action}"


def wrong_rename(event: Event, names: Container[str]) -> str | None:
    """Why the event cannot have its former names, if other events have `names`; None: it can."""
    for old in event.options.was:
        if old == event.name:
            return f"was={old!r} is its own name; was= takes the names that it had before"
        if old in names:
            return f"was={old!r} is the name of another event; an event and its old name cannot both be declared"
    return None
