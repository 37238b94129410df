"""`.monitor(...)`: what an outside monitor must know of an event."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from clock.timetable.periods import parse_period

ACCEPTED = "True, a slug of a-z, 0-9, - and _ such as 'nightly-mail', or a dict of slug, grace and max_runtime"
SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")  # accepted by all providers


@dataclass(frozen=True, slots=True)
class Monitor:
    """The terms in which an outside monitor watches an event."""

    slug: str
    grace: timedelta = timedelta(minutes=5)  # how late a run may start
    max_runtime: timedelta = timedelta(minutes=30)
    definition: Mapping[str, object] | None = None  # Sentry's `monitor_config`, if the clock's listener asks


def monitor_of(given: object, name: str) -> Monitor | None:
    """The monitor that a declaration asks for. Raises ValueError with the accepted values."""
    if given is None or given is False:
        return None
    values = dict(given) if isinstance(given, Mapping) else {} if given is True else {"slug": given}
    values = {key: value for key, value in values.items() if value is not None}
    slug = values.pop("slug", None)
    if not slug:
        slug = re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-_")[:50].rstrip("-_") or "event"
    lengths: dict[str, Any] = {
        key: _length(key, values.pop(key)) for key in ("grace", "max_runtime") if key in values
    }
    if values or not isinstance(slug, str) or not SLUG.fullmatch(slug):
        raise ValueError(f"monitor is {given!r:.80}; it must be {ACCEPTED}")
    return Monitor(slug, **lengths)


def _length(name: str, given: Any) -> timedelta:
    try:
        length = parse_period(given)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if length < timedelta(minutes=1):
        raise ValueError(f"{name} is {given!r}; it must be at least a minute")
    return length
