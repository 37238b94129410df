"""The progress that a running job reports with its worker's heartbeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How many items are done, of how many (None: unknown), in how many seconds; and the job's own note.

    >>> str(Progress(50, 200, 25.0, "page 3"))
    '50 of 200 (25 %), 2 a second, 75 s left, page 3'
    """

    done: float
    total: float | None = None
    seconds: float | None = None
    note: str | None = None

    @property
    def rate(self) -> float | None:
        """Items in a second; None: unknown."""
        return self.done / self.seconds if self.seconds and self.done else None

    @property
    def seconds_left(self) -> float | None:
        """How long it takes at this rate; None: unknown."""
        if self.rate is None or self.total is None:
            return None
        return max(0.0, (self.total - self.done) / self.rate)

    def __str__(self) -> str:
        parts = [f"{self.done:g}" if self.total is None else f"{self.done:g} of {self.total:g}"]
        if self.total:
            parts[0] += f" ({100 * self.done / self.total:.0f} %)"
        if self.rate is not None:
            parts.append(f"{self.rate:.3g} a second")
        if self.seconds_left:
            parts.append(f"{self.seconds_left:.0f} s left")
        return ", ".join([*parts, *([self.note] if self.note else [])])

    @property
    def as_json(self) -> dict[str, object]:
        """For programs."""
        return {
            "done": self.done,
            "total": self.total,
            "seconds": self.seconds,
            "note": self.note,
            "rate": self.rate,
            "seconds_left": self.seconds_left,
        }


def progress_of(report: object) -> Progress | None:
    """The progress in a worker's report, or None if it is missing or invalid."""
    if not isinstance(report, Mapping) or not _is_number(report.get("done")):
        return None
    total, seconds, note = report.get("total"), report.get("seconds"), report.get("note")
    return Progress(
        report["done"],
        total if _is_number(total) else None,
        seconds if _is_number(seconds) else None,
        note if isinstance(note, str) else None,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
