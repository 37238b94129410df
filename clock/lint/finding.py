"""Findings of `check`: possible mistakes in a clock file, each with its place and, if there is one, a date."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps

from clock.timetable import Event, Timetable


@dataclass(frozen=True, slots=True)
class Finding:
    """A possible mistake: an `error` or a `warning`, with its rule, its place (file:line), and its date."""

    level: str
    rule: str
    event: str
    source: str
    text: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """The subject of checks: the timetable, the first instant, and the workers' queues (None: unknown)."""

    timetable: Timetable
    start: datetime
    queues: Sequence[str] | None = None


Rule = Callable[[Look], Iterator[Finding]]


def of_each_event(rule: Callable[[Event, Look], Iterator[Finding]]) -> Rule:
    """Make a rule about one event a rule about all events."""

    @wraps(rule)
    def of_all(look: Look) -> Iterator[Finding]:
        for event in look.timetable.events:
            yield from rule(event, look)

    return of_all


def warn(rule: str, event: Event, text: str, at: datetime | None = None) -> Finding:
    """A warning about an event."""
    return Finding("warning", rule, event.name, event.source, text, at)
