"""The next due marker: which due instant the clock decides next, for any process to see whether it is in time."""

from __future__ import annotations

import msgspec
from redis import Redis

from clock.store import keys
from clock.store.invalid_values import is_wrong_type
from clock.store.ledger.entry import instant_ms
from clock.store.server.connection import translated
from clock.store.server.sending import Command, ask_all

Marker = tuple[str | None, int]  # event and due instant in ms; (None, 0): nothing will be due


class Publication(msgspec.Struct):
    """A marker for the script that commits decisions: it sets the marker if it commits all of them.

    The commit then writes the replaced marker into `before`. None: the script did not set the marker.
    """

    event: str
    due_ms: int
    before: Marker | None = None


def set_marker(redis: Redis, event: str | None, due_ms: int) -> Marker:
    """Set the marker; the value before, or (None, 0) if the ledger's anchors are gone.

    Contents that are not a marker are replaced. Raises StoreUnavailable.
    """
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
