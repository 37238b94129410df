"""The parts of a timeline that its renderers read."""

from __future__ import annotations

from datetime import date, datetime, tzinfo
from typing import Protocol


class DrawnTimeline(Protocol):
    """Firings in the order of time: (seconds since 1970, event) in `rows`, from `start` to before `end`."""

    events: tuple[str, ...]
    zone: tzinfo
    start: datetime
    end: datetime
    rows: list[tuple[int, str]]

    def days(self) -> list[date]:
        """The days from `start` to before `end`."""
        ...

    def often(self) -> list[str]:
        """The events that fire so often that they are drawn behind the others."""
        ...

    def local(self, seconds: int) -> datetime:
        """An instant, in seconds since 1970, on the clocks of the timeline's zone."""
        ...
