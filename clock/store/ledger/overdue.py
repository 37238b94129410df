"""Watching the clock: whether it decides due instants in time is read from Redis, by any process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis import Redis

from clock.store import keys
from clock.store.ledger import next_due
from clock.store.odd_keys import readable, tolerated
from clock.store.server.connection import translated

OVERDUE_SECONDS = 60.0  # a healthy clock decides within a second; a deploy or a take-over takes less than this


@dataclass(frozen=True, slots=True)
class Watched:
    """What the clock owes. `event`, `due_ms`: the oldest due instant not decided; None: nothing is ever due.

    `late_ms` is how long ago it was due by Redis's clock, negative for one to come. `leader` is the identity of
    the clock that leads and `release` its release; None: no clock runs.
    """

    event: str | None
    due_ms: int | None
    late_ms: int
    leader: str | None
    release: str | None

    def is_overdue(self, limit_seconds: float) -> bool:
        """Whether the oldest undecided due instant is older than the limit."""
        return self.late_ms > limit_seconds * 1000


def look(redis: Redis) -> Watched:
    """What the clock owes at this moment, in one round trip. Raises StoreUnavailable."""
    with translated(), redis.pipeline(transaction=False) as pipeline:
        pipeline.hmget(keys.NEXT_DUE, "event", "due")
        pipeline.hmget(keys.LEASE, "identity", "release")
        pipeline.time()
        promised, lease, (seconds, microseconds) = readable(pipeline)
        leader, release = lease or (None, None)
        event, due_ms = next_due.marker(*(promised or (None, None)))
    now_ms = seconds * 1000 + microseconds // 1000
    is_known = event is not None
    return Watched(
        event,
        due_ms if is_known else None,
        now_ms - due_ms if is_known else 0,
        _text(leader),
        _text(release),
    )


def count_overdue(redis: Redis) -> None:
    """Count that the clock was found behind. Raises StoreUnavailable."""
    with translated(), redis.pipeline(transaction=False) as pipeline:
        pipeline.incr(keys.STAT_OVERDUE)
        tolerated(pipeline)


def _text(value: Any) -> str | None:
    return value.decode(errors="replace") if value is not None else None
