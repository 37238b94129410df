"""Checks of the arguments that callers pass to the API."""

from __future__ import annotations

from clock.errors import JobError
from clock.printable import brief

LARGEST = 1_000_000_000  # above what a place can hold, and below what Redis accepts


def check_count(name: str, count: object) -> None:
    """Check a number of jobs or records. Raises JobError."""
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= LARGEST:
        raise JobError(f"{name} is {brief(count)}; it must be a whole number, 1 to {LARGEST:,}")
