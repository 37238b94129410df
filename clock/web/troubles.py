"""Which events need attention: those that fail, and those whose last run was missed.

Each look reads a part of the events, so the cost does not grow with their number: of a hundred it reads all, of
10,000 it has read each after some minutes of visits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clock.inspection.events.event_rows import troubles_of
from clock.inspection.opening import Redis

AT_ONCE = 100  # events


class Troubles:
    """Event -> its trouble, as of the last look at it. `look` is called by one thread at a time."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}
        self._place = 0

    def look(self, redis: Redis, names: Sequence[str]) -> Mapping[str, str]:
        """Read the next events, and return all troubles that are known. Raises StoreUnavailable."""
        if self._place >= len(names):
            self._place = 0
            known = set(names)
            self._found = {name: trouble for name, trouble in self._found.items() if name in known}
        part = names[self._place : self._place + AT_ONCE]
        self._place += len(part)
        for name, trouble in zip(part, troubles_of(redis, part), strict=True):
            self._found.pop(name, None)
            if trouble:
                self._found[name] = trouble
        return dict(self._found)
