"""The releases of the clock file that led, and what each changed in the timetable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from clock.clocks import from_ms
from clock.store import Redis
from clock.store.ledger import timetable_changes

Names = Sequence[tuple[str, ...]]
KINDS = ("added", "removed", "changed", "renamed")


@dataclass(frozen=True, slots=True)
class ReleaseChange:
    """A release that started to lead at `at`, on `host`, with `events` events. `id` is the start of a later page.

    `added` and `removed` are (event, declaration), `changed` is (event, declaration before, declaration now),
    `renamed` is (old name, new name). Long lists are cut; `counts` has the number of each kind. `is_first`: no
    earlier release is known.
    """

    id: str
    at: datetime
    release: str
    host: str
    events: int
    is_first: bool
    added: Names
    removed: Names
    changed: Names
    renamed: Names
    counts: Mapping[str, int]

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return {**asdict(self), "at": self.at.isoformat()}


def release_changes(redis: Redis, count: int, before: str = "") -> list[ReleaseChange]:
    """Up to `count` releases, the latest first, from before the one with the id `before`. Raises StoreError."""
    return [_change(number, entry) for number, entry in timetable_changes.read(redis, count, before)]


def _change(number: str, entry: Mapping[str, Any]) -> ReleaseChange:
    named = {kind: _names(entry.get(kind), 3 if kind == "changed" else 2) for kind in KINDS}
    counts, events = entry.get("counts"), entry.get("events")
    given = counts if isinstance(counts, dict) else {}
    return ReleaseChange(
        id=number,
        at=from_ms(int(number.partition("-")[0])),
        release=str(entry.get("release", "")),
        host=str(entry.get("host", "")),
        events=events if isinstance(events, int) else 0,
        is_first=entry.get("first") is True,
        counts={kind: given[kind] if isinstance(given.get(kind), int) else len(named[kind]) for kind in KINDS},
        **named,
    )


def _names(rows: object, length: int) -> Names:
    """The rows of an entry that have the right form."""
    found = rows if isinstance(rows, list) else []
    return [tuple(map(str, row)) for row in found if isinstance(row, list) and len(row) == length]
