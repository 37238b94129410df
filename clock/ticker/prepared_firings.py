"""Firings that run none of the user's code: a job is pushed, and nobody is asked anything.

Most firings are so. What they push was put into JSON when the clock file was read, so that each is made in a few
microseconds, while Redis takes those before it. Those of one instant, where they are not too many, are made just
before it, as they will be in its first millisecond: then they only have to be sent.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import cast

from clock.clocks import Clock, to_ms
from clock.store.ledger.decision import Decision
from clock.store.ledger.held_pushes import Push, jid_of
from clock.ticker import run_event
from clock.ticker.catch_up import Due
from clock.ticker.decisions import Signature
from clock.timetable import Event, PackedPush, Timetable

LOOK = 100  # so many share a look at the time, and at whether the clock still leads
FORESEEN = 100  # so many at most are made before their instant: in a ms or two

_MS = timedelta(milliseconds=1)


class PlainFirings:
    """Makes the decisions of plain firings; with another `act` than the events' own there are none."""

    def __init__(self, timetable: Timetable, *, clock: Clock, signature: Signature, act: run_event.Act) -> None:
        self._callbacks = timetable.callbacks
        self._clock = clock
        self._signature = signature
        self._acts = act is Event.run
        self._foreseen: dict[str, tuple[Event, Due, Decision]] = {}

    def include(self, event: Event) -> bool:
        """Whether firing it runs no code but ours."""
        return (
            event.packed_push is not None
            and event.condition is None
            and event.overlap == "allow"
            and not event.thread
            and not (self._callbacks.before_run or self._callbacks.after_run)
            and self._acts
        )

    def made(
        self,
        to_fire: deque[tuple[Event, Due]],
        triggered: list[tuple[Event, Due, datetime]],
        may_go_on: Callable[[], bool],
    ) -> Iterator[Decision]:
        """Take plain firings off `to_fire` until another comes, each as a decision; note each in `triggered`."""
        for count in itertools.count():
            if not to_fire or not self.include(to_fire[0][0]):
                return
            if count % LOOK == 0:
                if not may_go_on():
                    return
                now = self._clock.now()
                stamp = repr(to_ms(now) / 1000)
            event, due = to_fire.popleft()
            triggered.append((event, due, now))
            yield self._made_before(event, due, now) or self._decision(event, due, now, stamp)

    def foresee(self, coming: Sequence[tuple[Event, Due]]) -> list[Decision]:
        """Make decisions of firings that will come due, for `made` to find; those of the plain ones in front."""
        self._foreseen.clear()
        for event, due in itertools.takewhile(lambda firing: self.include(firing[0]), coming):
            decision = self._decision(event, due, due.at, repr(to_ms(due.at) / 1000))
            self._foreseen[event.name] = event, due, decision
        return [decision for _, _, decision in self._foreseen.values()]

    def _made_before(self, event: Event, due: Due, now: datetime) -> Decision | None:
        """The decision as it was made before the instant, where it would not be made otherwise now."""
        found = self._foreseen.get(event.name)
        if found is None or now - due.at >= _MS or found[0] is not event or found[1] != due:
            return None
        return found[2]

    def _decision(self, event: Event, due: Due, now: datetime, stamp: str) -> Decision:
        packed = cast("PackedPush", event.packed_push)  # it is included
        due_ms, after_ms = to_ms(due.at), to_ms(due.after)
        previous_ms = None if due.previous is None else to_ms(due.previous)
        jid = jid_of(event.name, due_ms, 0)
        record = self._signature.record(now - due.at, jids=(jid,))
        push = Push(packed.text(event.name, due_ms, previous_ms, jid, stamp), packed.queue)
        return Decision(event.name, event.declaration, after_ms, due_ms, due.kind, record, (push,))
