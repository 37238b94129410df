"""A namespace: a prefix before every key and channel, added when a command is packed for the connection.

All other code uses the names of `keys.py`. In the namespace `shop`, the key `queues` is `{shop}:queues`. The
braces put all keys of a namespace into one hash slot, so scripts and transactions work on a cluster.

A connection without a namespace does not use this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hiredis import pack_command
from redis import Redis
from redis.exceptions import DataError

Words = Sequence[Any]

#: The positions of keys and channels in the words of a command; in other commands, the first argument is the key.
_PLACES: Mapping[str, slice] = {
    name: places
    for places, names in (
        (
            slice(0),
            "ACL ASKING AUTH BGREWRITEAOF BGSAVE CLIENT CLUSTER COMMAND COMMANDLOG CONFIG DBSIZE DEBUG DISCARD "
            "ECHO EXEC FAILOVER FLUSHALL FLUSHDB FUNCTION HELLO INFO LASTSAVE LATENCY LOLWUT MODULE MONITOR MULTI "
            "PING PUBSUB QUIT RANDOMKEY READONLY READWRITE REPLICAOF RESET ROLE SAVE SCRIPT SELECT SENTINEL "
            "SHUTDOWN SLAVEOF SLOWLOG SWAPDB SYNC TIME UNWATCH WAIT WAITAOF",
        ),
        (
            slice(1, None),
            "DEL EXISTS MGET PFCOUNT PFMERGE PSUBSCRIBE PUNSUBSCRIBE SDIFF SDIFFSTORE SINTER SINTERSTORE "
            "SSUBSCRIBE SUBSCRIBE SUNION SUNIONSTORE SUNSUBSCRIBE TOUCH UNLINK UNSUBSCRIBE WATCH",
        ),
        (
            slice(1, 3),
            "BLMOVE BRPOPLPUSH COPY GEOSEARCHSTORE LCS LMOVE RENAME RENAMENX RPOPLPUSH SMOVE ZRANGESTORE",
        ),
        (slice(1, -1), "BLPOP BRPOP BZPOPMAX BZPOPMIN"),
        (slice(1, None, 2), "MSET MSETNX"),
        (slice(2, 3), "MEMORY OBJECT XGROUP XINFO"),
    )
    for name in names.split()
}
_ONE = slice(1, 2)
_OF_PUSHES = ("LPUSH", "SADD", "ZADD")  # the first argument is the key

#: Only the server can find the keys of these commands. Clock does not use them.
_NOT_SUPPORTED = frozenset(
    (
        *("BITOP", "BLMPOP", "BZMPOP", "FCALL", "FCALL_RO", "GEORADIUS", "GEORADIUSBYMEMBER", "KEYS", "LMPOP"),
        *("MIGRATE", "MSETEX", "PFDEBUG", "SINTERCARD", "SORT", "SORT_RO", "XREAD", "XREADGROUP", "ZDIFF"),
        *("ZDIFFSTORE", "ZINTER", "ZINTERCARD", "ZINTERSTORE", "ZMPOP", "ZUNION", "ZUNIONSTORE"),
    )
)
_SCRIPTS = ("EVALSHA", "EVAL", "EVALSHA_RO", "EVAL_RO")


class Namespace:
    """Puts the prefix of a namespace before the keys of commands. It replaces the client library's packer."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.prefix = f"{{{name}}}:"
        self._bytes = self.prefix.encode()

    def pack(self, *words: Any) -> list[bytes]:
        """A command as it is sent, for the client library. Raises the library's errors."""
        first = words[0].decode() if isinstance(words[0], bytes) else words[0]
        try:
            return [self.packed((*first.split(), *words[1:]))]
        except TypeError as error:
            raise DataError(str(error)) from error

    def packed(self, words: Words) -> bytes:
        """A command as it is sent. Raises DataError if its keys cannot be found."""
        is_push = words[0] in _OF_PUSHES  # these must be fast
        packed: bytes = pack_command(
            (words[0], self.key(words[1]), *words[2:]) if is_push else self.prefixed(words)
        )
        return packed

    def prefixed(self, words: Words) -> tuple[Any, ...]:
        """The command with the prefix before its keys and channels. Raises DataError."""
        name = words[0].upper()
        if name in _SCRIPTS:
            places = slice(3, 3 + int(words[2]))
        elif name == "SCAN":
            return self._scan(words)
        elif name in _NOT_SUPPORTED:
            raise DataError(f"the command {name} is not supported in a namespace")
        else:
            places = _PLACES.get(name, _ONE)
        found = list(words)
        found[places] = [self.key(key) for key in found[places]]
        return tuple(found)

    def key(self, key: Any) -> Any:
        """A key with the prefix, text or bytes as it was."""
        return self.prefix + key if isinstance(key, str) else self._bytes + bytes(key)

    def _scan(self, words: Words) -> tuple[Any, ...]:
        found: list[Any] = list(words)
        pattern: Any = "*"
        at = next((place for place, word in enumerate(found) if word in ("MATCH", b"MATCH")), None)
        if at is not None:
            pattern = found[at + 1]
            del found[at : at + 2]
        return (*found[:2], "MATCH", self.key(pattern), *found[2:])


def namespace_of(redis: Redis) -> Namespace | None:
    """The namespace of a connection; None: keys have no prefix, as in Sidekiq."""
    found: Namespace | None = getattr(redis.connection_pool, "namespace", None)
    return found


def full_key(redis: Redis, key: str) -> str:
    """The key's full name in Redis, for people and for other programs."""
    namespace = namespace_of(redis)
    return namespace.prefix + key if namespace else key


def set_readers(redis: Redis, namespace: Namespace) -> None:
    """Make a client return the keys of SCAN without the prefix."""
    prefix, reply = namespace.prefix.encode(), redis.response_callbacks["SCAN"]

    def read(raw: Any, **options: Any) -> Any:
        cursor, found = reply(raw, **options)
        return cursor, [key.removeprefix(prefix) for key in found]

    redis.set_response_callback("SCAN", read)
