"""The next due marker: the oldest undecided due instant. Any process can see whether the clock is in time.

Each function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec
from redis import Redis

from clock.clocks import from_ms
from clock.store import keys
from clock.store.invalid_values import is_wrong_type, text
from clock.store.ledger.entry import instant_ms
from clock.store.server.connection import translated
from clock.store.server.sending import Command, ask_all
from clock.store.wrong_type import readings

OVERDUE_SECONDS = 60.0  # a healthy clock decides within a second; a deploy or a take-over takes less than this

Marker = tuple[str | None, int]  # event and due instant in ms; (None, 0): nothing will be due


class Publication(msgspec.Struct):
    """A marker for the script that commits decisions: it sets the marker if it commits all of them.

    The commit then writes the replaced marker into `before`. None: the script did not set the marker.
    """

    event: str
    due_ms: int
    before: Marker | None = None


def set_marker(redis: Redis, event: str | None, due_ms: int) -> Marker:
    """Set the marker, whatever the key holds; the marker before, or (None, 0) if the ledger's anchors are gone."""
    with translated():
        before = _replace(redis, event, due_ms)
        if before is None:
            redis.unlink(keys.NEXT_DUE)
            _replace(redis, event, due_ms)
    return before or (None, 0)


def _replace(redis: Redis, event: str | None, due_ms: int) -> Marker | None:
    """Set the marker; what it was. None: the key holds something else."""
    new: Command = ("HSET", keys.NEXT_DUE, "event", event, "due", due_ms) if event else ("DEL", keys.NEXT_DUE)
    found = ask_all(
        redis,
        [
            ("HMGET", keys.NEXT_DUE, "event", "due"),
            ("EXISTS", keys.LEDGER_ANCHOR),  # no decision reads it: its loss would show at the next start
            new,
        ],
    )
    for error in found:
        if isinstance(error, Exception):
            if is_wrong_type(error):
                return None
            raise error
    return marker(*found[0]) if found[1] else (None, 0)


def marker(event: bytes | None, due: bytes | None) -> Marker:
    """The marker's value in Redis."""
    instant = instant_ms(due)
    return (keys.shown(event), instant) if event is not None and instant is not None else (None, 0)


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
    """Read the oldest undecided due instant, in one round trip."""
    marked, lease, (seconds, microseconds) = readings(
        redis,
        lambda pipe: [pipe.hmget(keys.NEXT_DUE, "event", "due"), pipe.hmget(keys.LEASE, "identity"), pipe.time()],
    )
    event, due_ms = marker(*(marked or (None, None)))
    [identity] = lease or [None]
    leader = None if identity is None else text(identity)
    if event is None:
        return Lateness(None, None, 0.0, leader)
    return Lateness(event, from_ms(due_ms), seconds + microseconds / 1e6 - due_ms / 1000, leader)
