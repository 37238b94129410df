"""Events that fire at one instant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

OFTEN_A_DAY = 12  # an event that fires more often meets others anyway, and hardly misses one firing


def coincidences(fires: Iterable[tuple[str, Sequence[int]]], days: int) -> dict[tuple[str, ...], list[int]]:
    """The groups of events that fire together, with when they do; those that fire often are left out.

    `fires` has each event's name and its instants in a span of so many `days`, in seconds since 1970.
    """
    at: dict[int, list[str]] = defaultdict(list)
    for name, instants in fires:
        if len(instants) <= OFTEN_A_DAY * max(1, days):
            for instant in instants:
                at[instant].append(name)
    groups: dict[tuple[str, ...], list[int]] = {}
    for instant, names in at.items():
        if len(names) > 1:
            groups.setdefault(tuple(names), []).append(instant)
    return groups
