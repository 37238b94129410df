"""The audit log: who changed what by hand, when, and on which page or machine.

Each function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

import getpass
from dataclasses import asdict, dataclass
from datetime import datetime

from clock.clocks import from_ms
from clock.store import Redis, audit


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
