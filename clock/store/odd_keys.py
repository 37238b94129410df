"""Keys that hold what nobody of us has written: another type, or no number. They affect only themselves.

Another program under Sidekiq's names, or a user that may only push, can write such values. Readers go on without
them, and workers, `status` and `doctor` name them.
"""

from __future__ import annotations

from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ResponseError

from clock.store import keys
from clock.store.connection import translated

LONGEST_NUMBER = 19  # digits: more do not fit into 64 bits


def readable(pipeline: Pipeline) -> list[Any]:
    """The replies to the pipeline's commands; None for a key of a wrong type. Raises what the library does."""
    replies: list[Any] = pipeline.execute(raise_on_error=False)
    for reply in replies:
        if isinstance(reply, Exception) and not is_wrong_type(reply):
            raise reply
    return [None if isinstance(reply, Exception) else reply for reply in replies]


def is_wrong_type(error: object) -> bool:
    """Whether Redis refused a command because the key holds another type."""
    return isinstance(error, ResponseError) and str(error).startswith("WRONGTYPE")


def number(value: bytes | None, default: int = 0) -> int:
    """The whole number that a value is; the default if it is none, or has more than 64 bits.

    >>> number(b"-5"), number(b"abc"), number(None), number(b"1" * 5_000)
    (-5, 0, 0, 0)
    """
    if value is None or len(value) > LONGEST_NUMBER + 1 or not value.removeprefix(b"-").isdigit():
        return default
    return int(value)


def text(value: bytes) -> str:
    """A name or value as text; what is no UTF-8 is replaced."""
    return value.decode(errors="replace")


#: The keys that are there once, and the type of each.
_TYPES = {
    keys.QUEUES: "set",
    keys.SCHEDULE: "zset",
    keys.RETRY: "zset",
    keys.DEAD: "zset",
    keys.PROCESSES: "set",
    keys.STAT_PROCESSED: "string",
    keys.STAT_FAILED: "string",
    keys.WORKERS: "zset",
    keys.CLOCKS: "zset",
    keys.PARKED: "set",
    keys.EXPIRED: "hash",
    keys.STAT_OVERDUE: "string",
    keys.NEXT_DUE: "hash",
    keys.LEASE: "hash",
    keys.PAUSED: "hash",
    keys.LEDGER_ANCHOR: "hash",
    keys.LEDGER_DECLARATION: "hash",
    keys.LEDGER_DECIDED: "hash",
    keys.LEDGER_ORPHANED: "hash",
    keys.LEDGER_COUNTED: "hash",
}
_NUMBERS = (keys.STAT_PROCESSED, keys.STAT_FAILED, keys.STAT_OVERDUE)


def find(redis: Redis) -> list[str]:
    """What is wrong with the keys that are there once, a sentence for each. Raises StoreUnavailable."""
    with translated(), redis.pipeline(transaction=False) as pipeline:
        for key in _TYPES:
            pipeline.type(key)
        for key in _NUMBERS:
            pipeline.get(key)
        replies = readable(pipeline)
    kinds = dict(zip(_TYPES, map(text, replies), strict=False))
    wrong = [
        f"the key {key!r} is a {kinds[key]}, not a {wanted}: another program has written it; delete it"
        for key, wanted in _TYPES.items()
        if kinds[key] not in (wanted, "none")
    ]
    values = zip(_NUMBERS, replies[len(_TYPES) :], strict=True)
    return wrong + [
        f"the key {key!r} holds no number, and nothing is counted there: another program has written it; delete it"
        for key, value in values
        if value is not None and number(value, -1) < 0
    ]
