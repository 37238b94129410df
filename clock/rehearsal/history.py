"""The history of a rehearsal, for the assertions of a test."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Protocol

from clock.clocks import from_ms
from clock.job.payload import Payload
from clock.job.push.client import using_clock
from clock.rehearsal.fake_clock import FakeClock
from clock.rehearsal.ledger import MemoryLedger
from clock.rehearsal.timeline import Timeline
from clock.rehearsal.uptime import Column
from clock.store.ledger.decision import Decision
from clock.timetable import Timetable

_EPOCH = from_ms(0)


class JobClass(Protocol):
    """The part of a job class that is used here."""

    @property
    def wire_name(self) -> str:
        """The name of the class in payloads."""


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A job that would have been pushed: its arguments, its time, its queue and its whole payload.

    `due` is the due instant of the firing that pushed it, `at` the time of a delayed job (None: no delay).
    """

    args: list[object]
    due: datetime
    queue: str
    payload: dict[str, object]
    at: datetime | None = None


class History:
    """The firings of a rehearsal, in order.

    `columns` has the firings on time, one column for an event and a part of the span. `ticked` has the decisions
    of the ticker's own ticks, such as caught-up firings. `ledger` is the ledger at the end, for `run(ledger=...)`.
    """

    def __init__(
        self,
        timetable: Timetable,
        ticked: Sequence[Decision],
        columns: Sequence[Column] = (),
        *,
        span: tuple[datetime, datetime] = (_EPOCH, _EPOCH),
        ledger: MemoryLedger | None = None,
        elsewhere: Sequence[Payload] = (),
    ) -> None:
        self.timetable = timetable
        self.start, self.end = span
        self.pushed_elsewhere = list(elsewhere)
        self.ledger = ledger or MemoryLedger()
        self.asked: list[str] = []  # the events that a test has asked for
        self._ticked = list(ticked)
        self._columns = list(columns)
        histories = getattr(sys.modules.get("_clock_pytest"), "histories", None)  # of the test under way
        if histories is not None:
            histories.append(self)

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """All decisions, ordered by time, as production's ledger would have them."""
        return tuple(self._decisions(lambda _: True))

    def fires(self, name: str) -> list[datetime]:
        """The due instants at which the event fired: aware, in UTC. Raises UnknownEvent."""
        return [from_ms(ms) for ms in self._fires_ms(name)]

    def ran_job(self, name: str) -> bool:
        """Whether the event fired at all. Raises UnknownEvent."""
        return bool(self._fires_ms(name))

    def times_run(self, name: str) -> int:
        """How often the event fired. Raises UnknownEvent."""
        return len(self._fires_ms(name))

    def block_for(self, name: str) -> Callable[[], object]:
        """The event's action, for the test to call. Raises UnknownEvent."""
        due = next(iter(self.fires(name)), _EPOCH)
        return partial(self.timetable.event(name).run, due)

    def enqueued(self, job: JobClass) -> list[Enqueued]:
        """The pushed jobs of this class, ordered by time."""
        name = job.wire_name
        decisions = self._decisions(lambda column: column.may_push(name))
        return [found for decision in decisions for found in _enqueued(decision, name)]

    @property
    def timeline(self) -> Timeline:
        """All firings, as data."""
        zone = self.timetable.settings.tz
        return Timeline(self.rows(), self.names, start=self.start, end=self.end, zone=zone)

    @property
    def names(self) -> list[str]:
        """The names of all events, in the clock file's order."""
        return [event.name for event in self.timetable.events]

    def rows(self) -> Iterator[tuple[int, str]]:
        """All firings as (seconds since 1970, event), not in order."""
        for column in self._columns:
            name = column.event.name
            yield from ((due, name) for due in column.fires())
        yield from ((item.due_ms // 1000, item.event) for item in self._ticked if item.kind.fires)

    def _fires_ms(self, name: str) -> list[int]:
        self.timetable.event(name)  # raises UnknownEvent
        if name not in self.asked:
            self.asked.append(name)
        met = [due * 1000 for column in self._columns if column.event.name == name for due in column.fires()]
        ticked = [item.due_ms for item in self._ticked if item.event == name and item.kind.fires]
        return sorted(met + ticked) if met and ticked else met or ticked

    def _decisions(self, wanted: Callable[[Column], bool]) -> Iterator[Decision]:
        """The decisions of the ticker and of the given columns, ordered by time."""
        made = [
            (item.due_ms + int(str(item.detail.get("late_ms", 0))), -1, index)
            for index, item in enumerate(self._ticked)
        ]
        for place, column in enumerate(self._columns):
            if wanted(column):
                made += [(due * 1000, place, index) for index, due in enumerate(column.dues)]
        clock = FakeClock(_EPOCH)
        with using_clock(clock):
            for _, place, index in sorted(made):
                if place < 0:
                    yield self._ticked[index]
                else:
                    yield self._columns[place].decision(index, self.timetable, clock)


def _enqueued(decision: Decision, wire_name: str) -> Iterator[Enqueued]:
    for push in decision.pushes:
        payload = json.loads(push.payload)
        if payload["class"] == wire_name:
            at = None if push.at is None else from_ms(round(push.at * 1000))
            yield Enqueued(payload["args"], from_ms(decision.due_ms), push.queue, payload, at)
