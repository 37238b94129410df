"""Changes: who changed what by hand (the audit log), and what each release changed in the timetable.

Each function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from clock.clocks import from_ms
from clock.store import Redis, audit
from clock.store.ledger import timetable_changes

Names = Sequence[tuple[str, ...]]
KINDS = ("added", "removed", "changed", "renamed")


@dataclass(frozen=True, slots=True)
class Change:
    """A change made by hand.

    `what` is the action, such as `pause` or `delete_jobs`; `target` what it changed, in words; `count` how many
    jobs or events; `source` an address, or `command line`.
    """

    who: str
    what: str
    target: str
    count: int = 1
    source: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A change and when it was made, by Redis's clock. `id` is the cursor of the next page."""

    id: str
    at: datetime
    change: Change

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return {"id": self.id, "at": self.at.isoformat(), **asdict(self.change)}


def user_of_process() -> str:
    """The name of the user that runs this process; a user without a name in the system is unknown."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def note_change(redis: Redis, change: Change) -> None:
    """Append a change to the audit log. Raises StoreUnavailable, WrongType."""
    audit.add(redis, asdict(change))


def note_if_possible(redis: Redis, change: Change) -> None:
    """Append a change that is made to the audit log. Logs an error of Redis, or users would repeat the change."""
    audit.add_if_possible(redis, asdict(change))


def changes(redis: Redis, count: int, before: str = "") -> list[AuditEntry]:
    """Up to `count` changes, the latest first, from before the entry with the id `before`."""
    return [_entry(number, fields) for number, fields in audit.read(redis, count, before)]


def _entry(number: str, fields: dict[str, object]) -> AuditEntry:
    count = fields.get("count")
    change = Change(
        who=str(fields.get("who", "")),
        what=str(fields.get("what", "")),
        target=str(fields.get("target", "")),
        count=count if isinstance(count, int) else 1,
        source=str(fields.get("source", "")),
    )
    return AuditEntry(number, from_ms(int(number.partition("-")[0])), change)


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
