"""Fires what is due, in turn: a firing may be held up, runs here or on a thread, and its decision is buffered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from clock.clocks import Clock
from clock.store.ledger.ledger import Ledger
from clock.ticker import log_lines, run_event
from clock.ticker.action_threads import ActionThreads
from clock.ticker.catch_up import Due, Missed
from clock.ticker.decision_buffer import DecisionBuffer
from clock.ticker.decisions import Signature
from clock.ticker.overlap import OverlapCheck
from clock.ticker.plan import Plan
from clock.ticker.prepared_firings import PreparedFirings
from clock.timetable import Event, Timetable

COMMIT_AFTER_SECONDS = 0.05  # what has fired waits no longer than this for the slower actions after it
AT_ONCE = 5_000  # firings; then the connection is free for a moment, for the heartbeat
SLOW_SECONDS = 1.0  # an action that holds up the loop for longer is named in a warning


class Dispatcher:
    """Fires what the plan says is due. `commit` is called where decisions have to be in Redis for more to follow.

    `may_go_on` says no where the clock stops, or another one leads. With `use_threads` False all runs here.
    """

    def __init__(
        self,
        timetable: Timetable,
        plan: Plan,
        buffer: DecisionBuffer,
        threads: ActionThreads,
        *,
        ledger: Ledger,
        clock: Clock,
        signature: Signature,
        act: run_event.Act,
        use_threads: bool,
        commit: Callable[[], object],
        may_go_on: Callable[[], bool],
    ) -> None:
        self._timetable = timetable
        self._plan = plan
        self._buffer = buffer
        self._threads = threads
        self._ledger = ledger
        self._clock = clock
        self._act = act
        self._use_threads = use_threads
        self._commit = commit
        self._may_go_on = may_go_on
        self._overlap = OverlapCheck(ledger, threads, clock=clock)
        self._prepared = PreparedFirings(timetable, clock=clock, signature=signature, act=act)
        self._triggered: list[tuple[Event, Due, datetime]] = []  # enqueued, and not logged yet
        self._holds_prepared = False  # plain firings were decided since the last commit

    def fire_due(self) -> None:
        """Fire and commit what is due now. Raises StoreUnavailable; what has not fired yet stays in the plan."""
        for event, missed in self._plan.take_due(self._clock.now()):
            self._add_missed(event, missed)
        try:
            self._fire_all(self._plan.to_fire)
            log_lines.all_triggered(self._triggered, self._buffer.untaken)  # after it: thousands take their time
        finally:
            self._plan.look_ahead()

    def take_finished(self) -> None:
        """Hand over to the decision buffer what has ended on threads."""
        for event, about, outcome in self._threads.take():
            if isinstance(about, Missed):
                self._buffer.add_missed(event, about)
            elif outcome is not None:
                self._note(event, about, outcome)

    def _fire_all(self, to_fire: deque[tuple[Event, Due]]) -> None:
        self._overlap.look(event for event, _ in to_fire)
        committed = self._clock.monotonic()
        while to_fire and self._may_go_on():
            event, due = to_fire[0]
            if self._prepared.include(event):
                self._fire_prepared(to_fire)
                continue
            self._settle_before_user_code()
            held = self._held_up(event, due) if to_fire else None
            if not to_fire:
                return  # the ledger has moved on without us
            to_fire.popleft()
            self._fire(event, due, held)
            self._buffer.begin()
            if self._clock.monotonic() - committed > COMMIT_AFTER_SECONDS:
                self._commit()
                committed = self._clock.monotonic()
        self._commit_all()

    def _settle_before_user_code(self) -> None:
        """Leave nothing outstanding in Redis while the user's code runs: it may take as long as it likes.

        What plain firings decided must not wait for it, and an answer that is not read keeps a connection.
        """
        if self._holds_prepared:
            self._commit_all()
        else:
            self._buffer.join()

    def _commit_all(self) -> None:
        self._holds_prepared = False
        self._commit()

    def _fire_prepared(self, to_fire: deque[tuple[Event, Due]]) -> None:
        self._holds_prepared = True
        for count, decision in enumerate(self._prepared.made(to_fire, self._triggered, self._may_go_on), 1):
            self._buffer.begin(decision)
            if count % AT_ONCE == 0:
                self._commit()

    def _held_up(self, event: Event, due: Due) -> run_event.Outcome | None:
        if event.overlap != "allow":
            self.take_finished()
            self._commit()  # what fired a moment ago has to be in Redis to be found there
        return self._overlap.outcome(event, due)

    def _fire(self, event: Event, due: Due, held: run_event.Outcome | None) -> None:
        """Run the action, unless the firing is held up."""
        if held is not None:
            log_lines.held_up(event.name, due.at, held.reason)
            if self._runs_on_thread(event):
                self._threads.add_decided(event, due, held)
            else:
                self._note(event, due, held)
            return
        if event.enqueues and not self._runs_on_thread(event):
            outcome = run_event.run(self._timetable, event, due, self._act)
            began = self._note(event, due, outcome)
            if outcome.counts or not due.is_asked_again:
                self._triggered.append((event, due, began))
            return
        run = partial(self._run, event, due)
        if not event.asks_again:
            log_lines.triggered(event, due, self._clock.now())
        if self._runs_on_thread(event):
            self._threads.start(event, due, run)
            return
        started = self._clock.monotonic()
        self._note(event, due, run())
        took = self._clock.monotonic() - started
        if took > SLOW_SECONDS:
            now = self._clock.now()
            log_lines.slow(event, took, self._plan.late(now), now)

    def _note(self, event: Event, due: Due, outcome: run_event.Outcome) -> datetime:
        """Buffer the decision; when the firing began. A refusal does not use up Clockwork's period."""
        if event.asks_again and not outcome.counts:
            self._plan.ask_again(event.name, due)
        return self._buffer.add_outcome(event, due, outcome)

    def _run(self, event: Event, due: Due) -> run_event.Outcome:
        began = self._clock.now()
        outcome = run_event.run(self._timetable, event, due, self._act)
        if event.asks_again and outcome.counts:
            log_lines.triggered(event, due, began)
        return replace(outcome, began=began)

    def _add_missed(self, event: Event, missed: Missed) -> None:
        if self._runs_on_thread(event):
            self._threads.add_decided(event, missed)
        else:
            self._buffer.add_missed(event, missed)

    def _runs_on_thread(self, event: Event) -> bool:
        return event.thread and self._use_threads
