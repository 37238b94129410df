"""Comparisons with other libraries, counted: how many cases, and how many of them differ deliberately."""

from collections import Counter

#: "against what: cases" and "against what: deliberate differences"; the run's summary prints it.
TALLY: Counter[str] = Counter()


def compared(against: str, *, cases: int = 1, deliberate: str | None = None) -> None:
    """Count cases; `deliberate` names the difference where there is one."""
    TALLY[f"{against}: cases"] += cases
    if deliberate is not None:
        TALLY[f"{against}: deliberately different, {deliberate}"] += cases
