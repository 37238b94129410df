"""One firing: its condition is asked, its action run, and what became of it told.

Whatever the user's code raises ends here: it is logged with event and due instant, given to the error
handlers, and becomes part of the outcome. The clock goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import msgspec

from clock.clocks import to_ms
from clock.django_connections import renewed_connections, uses_django
from clock.errors import message_of
from clock.forking import child_ends_here
from clock.store.ledger.decision import DecisionKind
from clock.store.ledger.held_pushes import Push, holding
from clock.ticker import log_lines
from clock.ticker.catch_up import Due
from clock.timetable import Event, Timetable, action, cancels

#: How an event's action is called with its due instant and the one before: `Event.run`, but for a rehearsal.
Act = Callable[[Event, datetime, datetime | None], object]

logger = logging.getLogger("clock.clock")


class Outcome(msgspec.Struct, frozen=True):
    """What became of a firing, why, the jobs it pushed, their jids.

    `cancelled`: events not to run again.
    `began` is when it was begun, where that was another moment than when it ended. `counts`: the due instant uses
    up the period of Clockwork's form; not if the condition refused it, or failed.
    """

    kind: DecisionKind
    reason: str | None = None
    pushes: tuple[Push, ...] = ()
    jids: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    began: datetime | None = None
    counts: bool = True


_UNREFUSED = Outcome(DecisionKind.FIRED)


def run(timetable: Timetable, event: Event, due: Due, act: Act | None = Event.run) -> Outcome:
    """Fire `event` at `due`: condition, `before_run`, action, `after_run`. Never raises.

    With `act` None it ends before the action, as fired: that nothing refuses it is all that is asked.
    """
    if not uses_django():
        return _run(timetable, event, due, act)
    with renewed_connections():
        return _run(timetable, event, due, act)


def _run(timetable: Timetable, event: Event, due: Due, act: Act | None) -> Outcome:
    is_asked = True
    try:
        if not _allows(event, due):
            return Outcome(DecisionKind.REFUSED, "its condition returned False", counts=False)
        if timetable.callbacks.before_run and vetoed(timetable.callbacks.before_run, event, due.at):
            return Outcome(DecisionKind.REFUSED, "a before_run callback returned False", counts=False)
        is_asked = False
        return _UNREFUSED if act is None else carry_out(timetable, event, due, act)
    except BaseException as error:  # noqa: BLE001  # sys.exit() in an action must not end the clock either
        report(
            timetable,
            error,
            f"{event.name!r} due {due.at.isoformat()} failed",
            log_lines.about(event.name, due.at),
        )
        reason = f"{type(error).__name__}: {message_of(error)}"
        return Outcome(DecisionKind.ERROR, reason, counts=not is_asked)


def vetoed(callbacks: Iterable[Callable[..., object]], *args: object) -> bool:
    """Call all callbacks; whether one of them returned an explicit False."""
    with child_ends_here():
        answers = [callback(*args) for callback in callbacks]
    return any(answer is False for answer in answers)


def report(
    timetable: Timetable, error: BaseException, what: str, about: Mapping[str, object] | None = None
) -> None:
    """Log `error` with its traceback and the fields `about`, and hand it to the error handlers."""
    logger.error("%s: %s: %s", what, type(error).__name__, message_of(error), exc_info=error, extra=about)
    for handler in timetable.error_handlers:
        try:
            with child_ends_here():
                handler(error)
        except BaseException as second:  # the handler of errors must not end the clock
            logger.error("The error handler failed: %s", message_of(second), exc_info=second)


def carry_out(timetable: Timetable, event: Event, due: Due, act: Act = Event.run) -> Outcome:
    """Run the action of a firing that nothing refused, then `after_run`; what they push is in the outcome."""
    previous_ms = None if due.previous is None else to_ms(due.previous)
    with holding(event.name, to_ms(due.at), previous_ms) as held, action(timetable.scheduler) as running:
        with child_ends_here():
            answer = act(event, due.at, due.previous)
        for callback in timetable.callbacks.after_run:
            _call_after(timetable, callback, event, due.at)
    cancelled = (event.name, *running.cancelled) if cancels(answer) else tuple(running.cancelled)
    return Outcome(due.kind, None, tuple(held.pushes), tuple(held.jids), cancelled)


def _allows(event: Event, due: Due) -> bool:
    with child_ends_here():
        return event.condition is None or bool(event.condition(due.at.astimezone(event.zone)))


def _call_after(timetable: Timetable, callback: Callable[..., object], event: Event, at: datetime) -> None:
    try:
        with child_ends_here():
            callback(event, at)
    except BaseException as error:  # noqa: BLE001  # the action is done: its jobs go out all the same
        report(
            timetable, error, f"An after_run callback of {event.name!r} failed", log_lines.about(event.name, at)
        )
