"""Whether the clock decides due instants in time: read from Redis, by any process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from redis import Redis

from clock.clocks import from_ms
from clock.store import keys
from clock.store.invalid_values import text
from clock.store.ledger import next_due
from clock.store.wrong_type import readings

OVERDUE_SECONDS = 60.0  # a healthy clock decides within a second; a deploy or a take-over takes less than this


@dataclass(frozen=True, slots=True)
class Lateness:
    """The oldest due instant that the clock has not decided, and the clock that leads.

    `event`, `due` are None if nothing is ever due. `late_seconds` is how long ago it was due by Redis's
    clock; negative for a future instant. `leader` is the identity of the clock that leads; None without a clock.
    """

    event: str | None
    due: datetime | None
    late_seconds: float
    leader: str | None

    @property
    def leadership(self) -> str:
        """Which clock leads, in words."""
        return f"the leader is {self.leader}" if self.leader else "no clock is the leader"

    def problem(self, limit_seconds: float) -> str | None:
        """The problem if the oldest undecided due instant is older than the limit, or None."""
        if self.event is None or self.late_seconds <= limit_seconds:
            return None
        return f"{overdue_problem(self.event, self.late_seconds)}; {self.leadership}"


def overdue_problem(event: str, seconds: float) -> str:
    """The report about an event that was due so many seconds ago; every process uses these words."""
    return f"event {event!r} is overdue: it was due {seconds:.0f} s ago and has not run"


def look(redis: Redis) -> Lateness:
    """Read the oldest undecided due instant, in one round trip. Raises StoreUnavailable."""
    marked, lease, (seconds, microseconds) = readings(
        redis,
        lambda pipe: [pipe.hmget(keys.NEXT_DUE, "event", "due"), pipe.hmget(keys.LEASE, "identity"), pipe.time()],
    )
    event, due_ms = next_due.marker(*(marked or (None, None)))
    [identity] = lease or [None]
    leader = None if identity is None else text(identity)
    if event is None:
        return Lateness(None, None, 0.0, leader)
    return Lateness(event, from_ms(due_ms), seconds + microseconds / 1e6 - due_ms / 1000, leader)
