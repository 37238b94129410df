"""What a rehearsal of a clock file did, and the questions that a test asks of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from clock.clocks import from_ms
from clock.store.ledger import Decision
from clock.timetable import Timetable


class JobClass(Protocol):
    """What is asked of a job class here."""

    wire_name: str


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A job that would have been pushed: its arguments, when, in which queue, and its whole payload."""

    args: list[object]
    due: datetime
    queue: str
    payload: dict[str, object]


class History:
    """The firings of a rehearsal, in order."""

    def __init__(self, timetable: Timetable, decisions: Sequence[Decision]) -> None:
        self._timetable = timetable
        self.decisions = tuple(decisions)

    def fires(self, name: str) -> list[datetime]:
        """The due instants at which the event fired: aware, in UTC. Raises UnknownEvent."""
        self._timetable.event(name)
        return [
            from_ms(decision.due_ms)
            for decision in self.decisions
            if decision.event == name and decision.kind in ("fired", "caught_up")
        ]

    def ran_job(self, name: str) -> bool:
        """Whether the event fired at all. Raises UnknownEvent."""
        return bool(self.fires(name))

    def times_run(self, name: str) -> int:
        """How often the event fired. Raises UnknownEvent."""
        return len(self.fires(name))

    def block_for(self, name: str) -> Callable[[], object]:
        """The event's action, for the test to call; it returns what that returns. Raises UnknownEvent."""
        event = self._timetable.event(name)
        due = next(iter(self.fires(name)), from_ms(0))
        return partial(event.run, due, None)

    def enqueued(self, job: JobClass) -> list[Enqueued]:
        """The jobs of this class that were pushed, in order."""
        found = []
        for decision in self.decisions:
            for push in decision.pushes:
                payload = json.loads(push.payload)
                if payload["class"] == job.wire_name:
                    found.append(Enqueued(payload["args"], from_ms(decision.due_ms), push.queue, payload))
        return found
