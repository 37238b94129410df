"""Runs one firing of an event: the overlap check, the condition, the action, the callbacks.

An exception from the user's code ends here. It is logged with the event and the due instant, passed to the error
handlers, and becomes part of the outcome. The clock continues.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from operator import attrgetter
from types import CoroutineType

from msgspec.structs import replace

from clock.clocks import Clock, to_ms
from clock.django_connections import renewed_connections, uses_django
from clock.errors import ConfigurationError, DeclarationError, described, message_of
from clock.forking import child_ends_here
from clock.store.ledger.decision import DecisionKind
from clock.store.ledger.held_pushes import holding
from clock.store.ledger.ledger import Ledger
from clock.store.ledger.pauses import Pause, covering
from clock.ticker import log_lines
from clock.ticker.firing.action_threads import ActionThreads
from clock.ticker.firing.decision_buffer import DecisionBuffer
from clock.ticker.firing.decisions import Outcome
from clock.ticker.planning.catch_up import Due, Missed
from clock.ticker.planning.plan import Plan
from clock.timetable import Event, Timetable, action, cancels

SLOW_SECONDS = 1.0  # a warning names an action that blocks the loop for longer

#: How many firings of an event may be unfinished when the next one fires.
_UNFINISHED = {
    "skip": (0, "its previous run is still active"),
    "queue_one": (1, "one run is active and one is waiting"),
}

#: Returns the function that a firing of the event calls with its due instant and the event's zone.
ActionOf = Callable[[Event], Callable[[datetime, tzinfo], object]]

own_action: ActionOf = attrgetter("action")  # what production calls: the event's own action

logger = logging.getLogger("clock.clock")


@dataclass(frozen=True, slots=True)
class ActionMode:
    """How a clock runs actions. The defaults are production's; rehearsals call other actions, on the loop."""

    action_of: ActionOf = own_action
    use_threads: bool = True


IN_PRODUCTION = ActionMode()
ON_THE_LOOP = ActionMode(use_threads=False)  # for tests


class EventRunner:
    """Runs firings on the loop or on a thread, and buffers their decisions."""

    def __init__(
        self,
        timetable: Timetable,
        ledger: Ledger,
        plan: Plan,
        buffer: DecisionBuffer,
        threads: ActionThreads,
        *,
        clock: Clock,
        mode: ActionMode,
    ) -> None:
        self._timetable = timetable
        self._ledger = ledger
        self._plan = plan
        self._buffer = buffer
        self._threads = threads
        self._clock = clock
        self._mode = mode
        self._pauses: Mapping[str, Pause] = {}
        self.triggered: list[tuple[Event, Due, datetime]] = []  # firings that enqueued, not yet logged

    def read_pauses(self, events: Iterable[Event]) -> None:
        """Read the pauses before `events` fire. Raises StoreUnavailable.

        For events that only push jobs the fire script checks the pause, so this reads nothing.
        """
        are_asked = any(not event.enqueues or event.options.asks_again for event in events)
        self._pauses = self._ledger.pauses() if are_asked else {}

    def held_up(self, event: Event, due: Due) -> Outcome | None:
        """The outcome of a firing that must not run; None: it may run. Raises StoreUnavailable.

        An earlier run has not finished while its action runs on a thread, or one of its jobs is queued, delayed,
        waits for a retry or is held by a live worker. This needs no lock, which a crash could leave behind.
        """
        pause = covering(self._pauses, event.name, due.at) if self._pauses else None
        if pause is not None:
            return Outcome(DecisionKind.PAUSED, str(pause), counts=False)
        if event.overlap == "allow":
            return None
        most, reason = _UNFINISHED[event.overlap]
        unfinished = self._threads.count_running(event.name)
        unfinished += self._ledger.running(event.name, to_ms(self._clock.now()))
        return Outcome(DecisionKind.OVERLAP, reason) if unfinished > most else None

    def take_finished(self) -> None:
        """Buffer the decisions of actions that have ended on threads."""
        for event, about, outcome in self._threads.take():
            if isinstance(about, Missed):
                self._buffer.add_missed(event, about)
            elif outcome is not None:  # pragma: no branch  # a due instant has an outcome
                self._note(event, about, outcome)

    def add_missed(self, event: Event, missed: Missed) -> None:
        """Buffer a run of due instants that do not fire, after the event's earlier firings."""
        if self._runs_on_thread(event):
            self._threads.add_decided(event, missed)
        else:
            self._buffer.add_missed(event, missed)

    def hold_up(self, event: Event, due: Due, held: Outcome) -> None:
        """Buffer the decision of a firing that a pause or an earlier firing holds up."""
        log_lines.held_up(event.name, due.at, held.reason)
        if self._runs_on_thread(event):
            self._threads.add_decided(event, due, held)
        else:
            self._note(event, due, held)

    def fire(self, event: Event, due: Due) -> None:
        """Run the condition and the action, on a thread if `thread=True`. Never raises their errors."""
        began, started = self._clock.now(), self._clock.monotonic()
        is_on_thread = self._runs_on_thread(event)
        if not event.options.asks_again and (is_on_thread or not event.enqueues):
            log_lines.triggered(event, due, began)
        if is_on_thread:
            self._threads.start(event, due, partial(self._run_on_thread, event, due))
            return
        outcome = run(self._timetable, event, due, self._mode.action_of)
        if event.enqueues:
            began = self._note(event, due, outcome)
            if outcome.counts or not event.options.asks_again:
                self.triggered.append((event, due, began))
            return
        if event.options.asks_again and outcome.counts:
            log_lines.triggered(event, due, began)
        self._note(event, due, replace(outcome, began=began))
        took = self._clock.monotonic() - started
        if took > SLOW_SECONDS:
            now = self._clock.now()
            log_lines.slow(event, took, self._plan.late(now), now)

    def _run_on_thread(self, event: Event, due: Due) -> Outcome:
        began = self._clock.now()
        outcome = run(self._timetable, event, due, self._mode.action_of)
        if event.options.asks_again and outcome.counts:
            log_lines.triggered(event, due, began)
        return replace(outcome, began=began)

    def _note(self, event: Event, due: Due, outcome: Outcome) -> datetime:
        """Buffer the decision; returns the start of the firing. A refusal does not use up Clockwork's period."""
        if event.options.asks_again and not outcome.counts:
            self._plan.queue.ask_again(event.name, due)
        return self._buffer.add_outcome(event, due, outcome)

    def _runs_on_thread(self, event: Event) -> bool:
        return event.options.thread and self._mode.use_threads


_UNREFUSED = Outcome(DecisionKind.FIRED)


def run(timetable: Timetable, event: Event, due: Due, action_of: ActionOf | None = own_action) -> Outcome:
    """Run the condition, `before_run`, the action and `after_run` of a firing. Never raises.

    If `action_of` is None, it ends before the action, with the outcome `fired` if nothing refuses the firing.
    """
    is_asked = True
    with renewed_connections() if uses_django() else nullcontext():
        try:
            with child_ends_here():
                at = due.at.astimezone(event.zone)
                is_allowed = event.condition is None or _ended(event.condition(at), "the condition")
            if not is_allowed:
                return Outcome(DecisionKind.REFUSED, "its condition returned False", counts=False)
            if timetable.callbacks.before_run and vetoed(timetable.callbacks.before_run, event, due.at):
                return Outcome(DecisionKind.REFUSED, "a before_run callback returned False", counts=False)
            is_asked = False
            return _UNREFUSED if action_of is None else carry_out(timetable, event, due, action_of)
        except BaseException as error:  # noqa: BLE001  # sys.exit() in an action must not end the clock either
            what = f"{event.name!r} due {due.at.isoformat()} failed"
            report(timetable, error, what, log_lines.about(event.name, due.at))
            return Outcome(DecisionKind.ERROR, described(error), counts=not is_asked)


def vetoed(callbacks: Iterable[Callable[..., object]], *args: object) -> bool:
    """Call all callbacks. True if one of them returned an explicit False."""
    with child_ends_here():
        answers = [_ended(callback(*args), "a callback") for callback in callbacks]
    return any(answer is False for answer in answers)


def report(
    timetable: Timetable, error: BaseException, what: str, about: Mapping[str, object] | None = None
) -> None:
    """Log `error` with the fields `about`, and pass it to the error handlers.

    The log has its traceback, except for errors in settings, clock files and rows: their message names the cure.
    """
    shown = None if isinstance(error, (ConfigurationError, DeclarationError)) else error
    logger.error("%s: %s", what, described(error), exc_info=shown, extra=about)
    call_error_handlers(timetable, error)


def call_error_handlers(timetable: Timetable, error: BaseException) -> None:
    """Pass an error to the error handlers of the clock file. An error of theirs is logged."""
    for handler in timetable.error_handlers:
        try:
            with child_ends_here():
                handler(error)
        except BaseException as second:  # the handler of errors must not end the clock
            logger.error("The error handler failed: %s", message_of(second), exc_info=second)


def carry_out(timetable: Timetable, event: Event, due: Due, action_of: ActionOf = own_action) -> Outcome:
    """Run the action of a firing that nothing refused, then `after_run`; the outcome has the jobs they push."""
    previous_ms = None if due.previous is None else to_ms(due.previous)
    with holding(event.name, to_ms(due.at), previous_ms) as held, action(timetable.scheduler) as running:
        act = action_of(event)
        with child_ends_here():
            answer = _ended(act(due.at, event.zone), "the action")
        for callback in timetable.callbacks.after_run:
            try:
                with child_ends_here():
                    _ended(callback(event, due.at), "the callback")
            except BaseException as error:  # noqa: BLE001  # the action has run: its jobs are pushed anyway
                what = f"An after_run callback of {event.name!r} failed"
                report(timetable, error, what, log_lines.about(event.name, due.at))
    cancelled = (event.name, *running.cancelled) if cancels(answer) else tuple(running.cancelled)
    return Outcome(due.kind, None, tuple(held.pushes), tuple(held.jids), cancelled, batches=tuple(held.batches))


def _ended(answer: object, what: str) -> object:
    """The answer of a function of the clock file. Raises DeclarationError for a coroutine, which did no work."""
    if type(answer) is CoroutineType:
        answer.close()
        raise DeclarationError(
            f"{what} returned a coroutine that is never awaited; write asyncio.run(...), or put the work into a "
            "job with async def perform"
        )
    return answer
