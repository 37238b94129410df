"""What a doctor finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from clock.errors import StoreError, StoreUnavailable


class Grade(StrEnum):
    """How a finding stands: good, worth knowing, or to be put right."""

    GOOD = "ok"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it stands, what was found, and what to do about it (empty: nothing)."""

    subject: str
    grade: Grade
    found: str
    advice: str = ""


def findings_of(subject: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What `look` finds. If Redis refuses it, that is the finding. Raises StoreUnavailable."""
    try:
        return list(look())
    except StoreUnavailable:
        raise
    except StoreError as error:
        return [Finding(subject, Grade.BAD, str(error), "correct that, and run clock doctor again")]
