"""The findings of `clock doctor`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from clock.errors import StoreError, StoreUnavailable


class Grade(StrEnum):
    """The grade of a finding: good, warning or bad."""

    GOOD = "ok"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """The subject of a check, its grade, the finding, and the cure (empty: nothing to do)."""

    subject: str
    grade: Grade
    found: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.found}: {self.advice}"


def findings_of(subject: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """The findings of `look`. If Redis refuses it, that is the finding. Raises StoreUnavailable."""
    try:
        return list(look())
    except StoreUnavailable:
        raise
    except StoreError as error:
        return [Finding(subject, Grade.BAD, str(error), "correct that, and run clock doctor again")]
