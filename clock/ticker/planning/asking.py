"""Catch-up for events that ask their condition again after a refusal, as Clockwork's form does.

Whether a due instant counts depends on the answer, so the clock asks for one at a time. Instants that are too late
to fire are missed as one run. They do not use up the period.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from clock.clocks import from_ms, to_ms
from clock.ticker.planning.catch_up import ON_TIME, SUPERSEDED, Backlog, Due, Missed, missed_because
from clock.timetable import Event
from clock.timetable.triggers.spans import span_of


def due_of(
    event: Event, at: datetime, *, anchor: datetime, decided: datetime, counted: str, caught_up: bool = False
) -> Due:
    """The firing at `at`, which the condition may refuse."""
    return Due(
        at,
        event.last_counted(anchor=anchor, counted=counted),
        decided,
        caught_up=caught_up,
        counted=(counted, event.counted_after(at, anchor=anchor, counted=counted)),
    )


def backlog_by_asking(
    event: Event, *, anchor: datetime, decided: datetime, counted: str, now: datetime
) -> Backlog:
    """Sort the instants in (decided, now] at which the event asks its condition: the last one fires."""
    late = _too_late(event, anchor, decided, counted, now)
    missed, after = ([late], late.at) if late else ([], decided)
    following = [at] if (at := _asked_after(event, after, anchor, counted)) and at <= now else []
    # Assume that none is refused: a refused one is followed by others.
    while following and event.catch_up != "all":
        answered = event.counted_after(following[-1], anchor=anchor, counted=counted)
        at = _asked_after(event, following[-1], anchor, answered)
        if at is None or at > now:
            break
        following.append(at)
    if len(following) > 1:
        last = following[-2]
        missed.append(Missed(following[0], last, after, len(following) - 1, SUPERSEDED[event.catch_up], counted))
        after = last
    if not following:
        return Backlog(tuple(missed), (), decided=after)
    caught_up = now - following[-1] > ON_TIME
    due = due_of(event, following[-1], anchor=anchor, decided=after, counted=counted, caught_up=caught_up)
    return Backlog(tuple(missed), (due,), decided=due.at)


def _too_late(event: Event, anchor: datetime, decided: datetime, counted: str, now: datetime) -> Missed | None:
    """The run of instants that are too late to fire; None: no instant is too late."""
    limit = ON_TIME if event.catch_up == "skip" else max(ON_TIME, event.catch_up_within)
    end = to_ms(now - limit - timedelta(milliseconds=1)) // 1000
    span = span_of(event.asked_between(to_ms(decided) // 1000, end, anchor=anchor, counted=counted))
    if span is None:
        return None
    begin, stop = from_ms(span.first * 1000), from_ms(span.last[-1] * 1000)
    return Missed(begin, stop, decided, span.count, missed_because(event, now - stop) or "", counted)


def _asked_after(event: Event, after: datetime, anchor: datetime, counted: str) -> datetime | None:
    return event.next_after(after, anchor=anchor, counted=counted)
