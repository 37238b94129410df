"""Whether Redis lets this user write what clocks and workers write, asked without writing anything.

Redis checks a command's permissions, and whether the server accepts writes at all, when a transaction queues the
command. So each command that clocks and workers use is queued on one of their keys, and then all are discarded.
"""

from __future__ import annotations

from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from clock.store import keys
from clock.store.server.connection import lent, translated

_NOBODY = "nobody:1:0"  # an identity; no process has it
_SORTED_SETS = (keys.SCHEDULE, keys.RETRY, keys.DEAD, keys.CLOCKS, keys.WORKERS)
_HASHES = (
    keys.LEDGER_ANCHOR, keys.LEDGER_DECLARATION, keys.LEDGER_DECIDED, keys.LEDGER_COUNTED, keys.LEDGER_ORPHANED,
    keys.PAUSED, keys.NEXT_DUE, keys.LEASE, keys.EXPIRED, keys.JOB_METRICS, keys.IN_PROGRESS + _NOBODY, _NOBODY,
)  # fmt: skip
_QUEUE, _OUTCOMES = keys.queue(_NOBODY), keys.OUTCOMES + _NOBODY

#: Each command that changes something, and each kind of key that is changed.
COMMANDS = (
    *(("ZADD", key, "0", "") for key in _SORTED_SETS),
    *(("HSET", key, "", "") for key in _HASHES),
    *(("SADD", key, "") for key in (keys.QUEUES, keys.PROCESSES, keys.PARKED)),
    *(("INCRBY", key, "0") for key in (keys.STAT_PROCESSED, keys.STAT_FAILED)),
    *(("XADD", key, "*", "", "") for key in (keys.HISTORY + _NOBODY, _OUTCOMES)),
    ("INCR", keys.STAT_OVERDUE),
    ("SET", keys.CLOCK + _NOBODY, ""),
    ("BITFIELD", keys.JOB_HISTOGRAM + _NOBODY, "INCRBY", "u16", "0", "0"),
    ("ZREM", keys.WORKERS, ""),
    ("ZREMRANGEBYSCORE", keys.CLOCKS, "0", "0"),
    ("ZREMRANGEBYRANK", keys.DEAD, "0", "0"),
    ("HDEL", keys.IN_PROGRESS + _NOBODY, ""),
    ("HINCRBY", keys.JOB_METRICS, "", "0"),
    ("SREM", keys.PROCESSES, ""),
    ("LPUSH", _QUEUE, ""),
    ("RPUSH", _QUEUE, ""),
    ("RPOP", _QUEUE),
    ("BLPOP", keys.HAND_OVER, "0"),
    ("LREM", _QUEUE, "0", ""),
    ("LSET", _QUEUE, "0", ""),
    ("LTRIM", _QUEUE, "0", "0"),
    ("XDEL", _OUTCOMES, "0"),
    ("DEL", keys.NEXT_DUE),
    ("UNLINK", keys.CLOCK + _NOBODY),
    ("EXPIRE", _NOBODY, "0"),
    ("PEXPIRE", keys.LEASE, "0"),
    ("EVALSHA", "", "0"),
    ("PUBLISH", keys.NEARER, ""),
)


def check_permissions(redis: Redis) -> None:
    """Raise StoreError for the first command that Redis refuses, StoreUnavailable if that may pass by itself."""
    with translated(), lent(redis) as link:
        _answers(link, ("MULTI",))
        _answers(link, *COMMANDS, ("DISCARD",))


def _answers(link: Any, *commands: tuple[str, ...]) -> None:
    """Send commands and read all their answers. Raises the first error among them."""
    link.send_packed_command(link.pack_commands(commands))
    errors: list[RedisError] = []
    for _ in commands:
        try:
            link.read_response(disconnect_on_error=False)
        except ResponseError as error:
            errors.append(error)
    if errors:
        raise errors[0]
