"""The plan: the next due instant of each event, and the firings that are due now."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from operator import itemgetter

from clock.clocks import to_ms
from clock.gc_pause import uncollected
from clock.store.ledger.entry import Entry
from clock.store.ledger.ledger import Ledger
from clock.ticker import log_lines
from clock.ticker.lost_writes import OwnCommits
from clock.ticker.planning.catch_up import Due, Missed
from clock.ticker.planning.due_queue import DueQueue, Planned
from clock.timetable import Event

WHOLE_SECOND = timedelta(seconds=1)  # due instants are at least this far apart


class Plan:
    """The events by next due instant, as read from the ledger, and the firings that were taken from it.

    `latest_started` returns an event's latest due instant that a thread has and that is not decided yet.
    """

    def __init__(
        self, ledger: Ledger, latest_started: Callable[[str], Due | Missed | None], own_commits: OwnCommits
    ) -> None:
        self._ledger = ledger
        self._own_commits = own_commits
        self._latest_started = latest_started
        self.queue = DueQueue(())  # empty until the ledger is read
        self.is_known = False  # the ledger has been read
        self._met: list[Planned] = []  # events that fire now; their next due instant is computed afterwards
        self.to_fire: deque[tuple[Event, Due]] = deque()

    @property
    def oldest_undecided(self) -> datetime | None:
        """The earliest due instant not fired yet, ahead or overdue. May be called from any thread."""
        dues = [due.at for _, due in list(self.to_fire)]
        ahead = self.queue.next_due
        return min([*dues, ahead] if ahead else dues, default=None)

    def count_due(self, now: datetime) -> int:
        """The number of firings that are due at `now`: those left over, and those of the earliest instant."""
        return len(self.to_fire) + self.queue.count_due(now)

    def read(self, events: Iterable[Event], now: datetime) -> None:
        """Read the ledger for all events. Raises StoreUnavailable, Outranked."""
        events = list(events)
        with uncollected(len(events)):
            self.queue = DueQueue(self.look_up(events, now, {event.name for event in events}))
        self.is_known = True

    def look_up(self, events: Iterable[Event], now: datetime, names: Collection[str]) -> list[Planned]:
        """Declare events in the ledger, and plan them by their entries. `names` are the names of all events.

        Raises StoreUnavailable, Outranked.
        """
        events = list(events)
        was = {event.name: event.options.was for event in events if event.options.was}
        whole_second = to_ms(now) // 1000 * 1000
        pairs = [(event.name, event.declaration) for event in events]
        known = self._own_commits.known(pairs)
        entries = self._ledger.declare(pairs, whole_second, known, was=was, names=names)
        self._own_commits.forget(old for olds in was.values() for old in olds)
        planned = [self._planned(event, entry) for event, entry in zip(events, entries, strict=True)]
        log_lines.entries_found(planned, entries, self._own_commits)
        self._own_commits.note(pairs, entries)
        for item in planned:
            item.look_ahead()
        return planned

    def remove(self, gone: Sequence[str], now_ms: int) -> None:
        """Delete events from the ledger. Raises StoreUnavailable."""
        self._own_commits.forget(gone)
        self._ledger.remove(gone, now_ms)

    def note_orphans(self, declared: Sequence[str], now_ms: int) -> None:
        """Note in the ledger which events are declared; the others are orphans. Raises StoreUnavailable."""
        self._ledger.orphan(declared, now_ms)

    def replace(self, gone: Iterable[str], planned: Sequence[Planned], same: Iterable[Event]) -> None:
        """Remove events and their firings, and add others. Events in `same` keep their due instants."""
        if not self.is_known:
            return
        out = {*gone, *(item.event.name for item in planned)}
        self.queue.refresh(same)
        if not out:
            return
        self.queue.replace(out, planned)
        kept = [(event, due) for event, due in self.to_fire if event.name not in out]
        self.to_fire.clear()
        self.to_fire.extend(kept)

    def forget(self) -> None:
        """Forget everything, as another clock leads. The ledger must be read again."""
        self.queue = DueQueue(())
        self.is_known = False
        self._met.clear()
        self.to_fire.clear()

    def take_due(self, now: datetime) -> list[tuple[Event, Missed]]:
        """Move due firings to `to_fire`, ordered by due instant. Returns the missed runs of due instants."""
        fires: list[tuple[datetime, int, Event, Due]] = []
        missed: list[tuple[Event, Missed]] = []
        for item in self.queue.take_due(now):
            at = item.next_due
            if at is not None and now - at < WHOLE_SECOND:  # then no other instant of it is due
                due = item.due(at)
                fires.append((at, item.place, item.event, due))
                item.take_over(at, due)
                self._met.append(item)
                continue
            backlog = item.backlog(now)
            missed += [(item.event, run) for run in backlog.missed]
            fires += [(due.at, item.place, item.event, due) for due in backlog.fires]
            item.take_over(backlog.decided, backlog.fires[-1] if backlog.fires else None)
            self.queue.put_back(item)
        fires.sort(key=itemgetter(0, 1))
        self.to_fire.extend((event, due) for _, _, event, due in fires)
        return missed

    def look_ahead(self) -> None:
        """Plan the events that have just fired. This is done after the firing, so it delays nothing."""
        for item in self._met:
            self.queue.put_back(item)
        self._met.clear()

    def late(self, now: datetime) -> list[tuple[str, datetime]]:
        """The names of the events that should have fired by `now`, with their due instants."""
        waiting = [(event.name, due.at) for event, due in self.to_fire]
        return waiting + self.queue.due_by(now)

    def _planned(self, event: Event, entry: Entry) -> Planned:
        """The event, planned after the due instants that the ledger has decided or that threads run."""
        anchor, previous = entry.anchor, entry.previous
        counted = event.counted_from(entry.counted, anchor=anchor, previous=previous)
        item = Planned(event, anchor, entry.decided, previous, counted=counted)
        item.is_asked_again = event.asked_again_after(previous, anchor=anchor, counted=counted)
        started = self._latest_started(event.name)
        if started is not None and started.at > item.decided:
            item.take_over(started.at, started if isinstance(started, Due) else None)
        return item
