"""Firings that run none of the user's code: they push one job, whose JSON was built when the file was loaded.

Most firings are of this kind. Building such a decision takes a few microseconds, so the clock builds the next
batch while Redis commits the one before it.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import cast

from clock.clocks import Clock, to_ms
from clock.store.ledger.decision import Decision
from clock.store.ledger.held_pushes import Push, jid_of
from clock.ticker.firing.decisions import Signature
from clock.ticker.firing.run_event import ActionMode, own_action
from clock.ticker.planning.catch_up import Due
from clock.timetable import Enqueue, Event, Timetable

LOOK = 100  # firings that share one check of the time and of the leadership


class PreparedFirings:
    """Builds the decisions of these firings. A rehearsal that calls other actions has none of them."""

    def __init__(self, timetable: Timetable, *, clock: Clock, signature: Signature, mode: ActionMode) -> None:
        self._callbacks = timetable.callbacks
        self._clock = clock
        self._signature = signature
        self._has_own_actions = mode.action_of is own_action

    def include(self, event: Event) -> bool:
        """Whether a firing of the event runs no code of the user's."""
        options = event.options
        return (
            event.prepared is not None
            and options.condition is None
            and options.overlap == "allow"
            and not options.thread
            and not (self._callbacks.before_run or self._callbacks.after_run)
            and self._has_own_actions
        )

    def made(
        self,
        to_fire: deque[tuple[Event, Due]],
        triggered: list[tuple[Event, Due, datetime]],
        may_go_on: Callable[[], bool],
    ) -> Iterator[Decision]:
        """Take such firings from the front of `to_fire`, note each in `triggered`, and yield its decision."""
        for count in itertools.count():  # pragma: no branch  # it returns
            if not to_fire or not self.include(to_fire[0][0]):
                return
            if count % LOOK == 0:
                if not may_go_on():
                    return
                now = self._clock.now()
                stamp = repr(to_ms(now) / 1000)
            event, due = to_fire.popleft()
            triggered.append((event, due, now))
            yield self._decision(event, due, now, stamp)

    def _decision(self, event: Event, due: Due, now: datetime, stamp: str) -> Decision:
        action = cast("Enqueue", event.action)  # it is included
        due_ms, after_ms = to_ms(due.at), to_ms(due.after)
        previous_ms = None if due.previous is None else to_ms(due.previous)
        jid = jid_of(event.name, due_ms, 0)
        record = self._signature.record(now - due.at, jids=(jid,))
        push = Push(action.text(event.name, due_ms, previous_ms, jid, stamp), action.queue)
        return Decision(event.name, event.declaration, after_ms, due_ms, due.kind, record, (push,))
