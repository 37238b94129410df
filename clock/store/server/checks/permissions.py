"""The commands that a process needs, and its regular check which of them Redis refuses to its user.

A user may be limited to some queues, so a clock checks the commands on queues with its own list.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec
from redis import Redis
from redis.exceptions import NoPermissionError

from clock.clocks import Clock
from clock.errors import StoreError, StoreUnavailable
from clock.printable import shortened_list
from clock.problems import Problem, Problems
from clock.store import keys
from clock.store.scripts import script
from clock.store.server.connection import translated
from clock.store.server.faults import store_error
from clock.store.server.namespace import namespace_of
from clock.store.server.sending import ask_script, durable_of
from clock.store.server.shards import shards_of
from clock.store.wrong_type import wrong_keys_among

NAMED = 5  # commands in one line
LOOK_SECONDS = 3.0  # an ERROR line is due within 5 s

Command = tuple[str, ...]  # a command, and the arguments by which Redis finds its keys and channels

_EVENT, _DAY = "EVENT", ":2026-11-24"

#: Key or channel -> commands of clocks and workers; '' for commands without a key.
_BOTH: Mapping[str, str] = {
    "": "TIME MULTI EXEC",
    keys.QUEUES: "SMEMBERS SADD TYPE",
    keys.UNIQUE: "HGET HMGET HSET HDEL",
    keys.UNIQUE_WINDOWS: "ZADD ZRANGEBYSCORE ZREM",
    keys.HEALED: "INCRBY",
    keys.BATCHES: "HGET HSET",
    keys.BATCH_ENDED: "HSET HDEL",
    keys.BATCH_REMOVALS: "ZADD",
}

_CLOCK: Mapping[str, str] = {
    **_BOTH,
    keys.LEASE: "TYPE PTTL DEL HGET HMGET HSET PEXPIRE",
    keys.HAND_OVER: "BLPOP LPUSH PEXPIRE DEL TYPE LLEN LINDEX",
    keys.LEDGER_ANCHOR: "TYPE EXISTS HMGET HGET HSET HDEL",
    keys.LEDGER_DECLARATION: "TYPE HMGET HGET HSCAN HSET HDEL",
    keys.LEDGER_DECIDED: "TYPE HMGET HGET HGETALL HSET HDEL",
    keys.LEDGER_COUNTED: "TYPE HMGET HGET HSET HDEL",
    keys.LEDGER_ORPHANED: "TYPE EXISTS HGET HEXISTS HSET HDEL",
    keys.LEDGER_RENAMED: "TYPE EXISTS HMGET HGETALL HSET HDEL",
    keys.HISTORY + _EVENT: "TYPE XADD XREVRANGE XDEL EXISTS RENAME UNLINK",
    keys.OUTCOMES + _EVENT: "EXISTS RENAME UNLINK",
    keys.WATCHED + _EVENT: "TYPE HGETALL HSET HDEL EXISTS RENAME UNLINK",
    keys.MISSED: "TYPE ZADD ZREM ZREMRANGEBYSCORE ZSCORE",
    keys.PAUSED: "TYPE HGETALL HGET HMGET HSET HDEL WATCH",
    keys.REPLACED: "ZADD ZREM",
    keys.BATCH_CHILDREN: "ZADD ZREM ZSCORE ZLEXCOUNT",
    keys.NEARER: "PUBLISH",
    keys.NEXT_DUE: "HMGET HSET DEL UNLINK",
    keys.CLOCKS: "ZADD ZREM ZREMRANGEBYSCORE",
    keys.CLOCK + "NAME": "SET UNLINK",
    keys.SCHEDULE: "ZADD TYPE ZCARD ZREVRANGE",
    keys.RETRY: "ZCOUNT ZCARD ZREVRANGE",
    **dict.fromkeys((keys.BLOCKED, keys.FREED), "ZCARD ZREVRANGE"),
    **dict.fromkeys((keys.PROCESSES, keys.PARKED), "SMEMBERS"),
    keys.PARKED_JOBS + "CLASS": "LLEN LRANGE",
    keys.WORKERS: "ZRANGE",
    keys.IN_PROGRESS + "NAME": "HKEYS HSTRLEN HGET",
}

_WORKER: Mapping[str, str] = {
    **_BOTH,
    keys.IN_PROGRESS + "NAME": "HGET HSET HDEL HLEN HEXISTS HKEYS HSTRLEN HMGET EXISTS",
    keys.RUNNING + "NAME": "HSET HDEL HKEYS DEL UNLINK",
    **dict.fromkeys((keys.STAT_PROCESSED, keys.STAT_FAILED), "INCRBY INCR MGET"),
    **dict.fromkeys((keys.STAT_PROCESSED + _DAY, keys.STAT_FAILED + _DAY), "INCRBY INCR EXPIRE"),
    keys.WORKERS: "ZADD ZREM ZSCORE ZRANGE ZRANGEBYSCORE",
    keys.PROCESSES: "SADD SREM SMEMBERS",
    keys.PAUSED_QUEUES: "SISMEMBER SMEMBERS",
    **dict.fromkeys((keys.SCHEDULE, keys.RETRY), "ZADD ZREM ZRANGE ZREVRANGE ZRANGEBYSCORE ZCARD"),
    keys.DEAD: "ZADD ZCARD ZCOUNT ZREMRANGEBYRANK",
    keys.PARKED: "SMEMBERS SADD SREM",
    keys.PARKED_JOBS + "CLASS": "LPUSH RPUSH RPOP LINDEX LLEN LRANGE EXISTS",
    keys.JOB_METRICS + "TIME": "HINCRBY EXPIRE",
    keys.JOB_HISTOGRAM + "CLASS": "BITFIELD EXPIRE",
    **dict.fromkeys((keys.EXPIRED, keys.CANCELLED_JOBS), "HINCRBY"),
    keys.REPLACED: "ZADD ZSCORE ZREM",
    keys.BATCH_CHILDREN: "ZADD ZREM ZSCORE ZLEXCOUNT ZRANGEBYLEX",
    keys.BATCH_CHECK: "SET GET",
    keys.BATCH_LOST: "INCRBY",
    keys.LIMITS: "HGET EXISTS",
    keys.LIMIT_HOLDERS: "ZADD ZREM ZLEXCOUNT ZRANGE ZRANGEBYLEX ZREMRANGEBYLEX",
    keys.LIMIT_RESERVED: "ZADD ZREM EXISTS",
    keys.BLOCKED: "ZADD ZREM ZRANGEBYLEX ZREVRANGE ZCARD EXISTS",
    keys.FREED: "ZADD ZREM ZRANGE ZREVRANGE ZRANGEBYSCORE ZCARD",
    keys.LIMIT_TURN: "INCR",
    keys.LIMITS_CHECKED: "SET",
    keys.OVERLAPS: "INCR",
    keys.RATES: "HGET HSET HDEL HSCAN EXISTS",
    keys.RATE_STARTS: "ZADD ZLEXCOUNT ZRANGEBYLEX ZREMRANGEBYLEX",
    keys.RATE_SLOTS: "ZADD ZREM ZSCORE ZRANGEBYSCORE ZREMRANGEBYSCORE EXISTS",
    keys.RATES_CHECKED: "SET",
    keys.CANCELLED: "EXISTS ZSCORE ZRANGE ZREM ZREMRANGEBYSCORE",
    keys.JOB_RESULT + "JID": "HSET PEXPIRE",
    **dict.fromkeys((keys.NEXT_DUE, keys.LEASE), "HMGET"),
    keys.LEDGER_RENAMED: "HGET",
    keys.HISTORY + _EVENT: "EXISTS",
    keys.OUTCOMES + _EVENT: "XADD",
    keys.WATCHED + _EVENT: "HGET HSET HDEL",
    keys.NEARER: "SUBSCRIBE PUBLISH",
}

_SCRIPTS: Sequence[Command] = (("SCRIPT", "LOAD", "TEXT"), ("SCRIPT", "EXISTS", "NAME"))
_OF_A_QUEUE = "RPOP BLMOVE LPUSH RPUSH LLEN LINDEX LRANGE TYPE"
_OF_A_HEARTBEAT = "HSET HMGET EXPIRE UNLINK"
_FURTHER: Mapping[str, Command] = {"BLPOP": ("0",), "SET": ("0",), "PUBLISH": ("0",)}

#: At the home of an application with shards.
_SHARDS: Mapping[str, str] = {
    keys.SHARDS: "ZADD",
    keys.SHARD_CLAIMS + "QUEUES:0": "ZADD ZREM ZSCORE ZCARD ZREMRANGEBYSCORE PEXPIRE",
}

_DURABLE: Sequence[Command] = (("WAIT", "1", "1"), ("SET", keys.REPLICATED, "1"))


def of_clock(durable: int = 0) -> list[Command]:
    """The commands that a clock needs; `durable` is the number of replicas that it waits for."""
    return [*_SCRIPTS, *_commands(_CLOCK), *(_DURABLE if durable else ())]


def of_worker(identity: str, queues: Sequence[str]) -> list[Command]:
    """The commands that a worker of this name needs to take jobs from these queues."""
    heartbeat = dict.fromkeys((identity, keys.work(identity), keys.workers(identity)), _OF_A_HEARTBEAT)
    own = {**heartbeat, keys.signals(identity): "RPOP", **dict.fromkeys(map(keys.queue, queues), _OF_A_QUEUE)}
    return [*_SCRIPTS, *_commands({**_WORKER, **own})]


def of_shards() -> list[Command]:
    """The commands that a worker needs at the home, if the application has shards."""
    return [*_SCRIPTS, *_commands({"": "TIME", **_SHARDS})]


class Permissions:
    """The commands that a process needs. The question to Redis is made once."""

    def __init__(self, redis: Redis, wanted: Sequence[Command]) -> None:
        self._redis = redis
        self._wanted = wanted
        self._script = script("refused")
        namespace = namespace_of(redis)
        asked = [namespace.prefixed(command) for command in wanted] if namespace else wanted
        self._question = ("EVALSHA", self._script.sha, 0, msgspec.msgpack.encode(asked))

    def refused(self) -> list[Command]:
        """The commands that this user may not run. Empty for Redis before 7, which cannot answer.

        Raises StoreUnavailable, StoreError.
        """
        with translated():
            [places] = ask_script(self._redis, self._script, [self._question])
        return [self._wanted[int(place) - 1] for place in places]

    def check(self) -> None:
        """Raise a StoreError that names the commands that this user may not run. Raises StoreUnavailable."""
        if refused := self.refused():
            named = [" ".join(command[:2]) for command in refused]
            raise store_error(NoPermissionError(shortened_list(named, NAMED)))


def check_permissions(redis: Redis) -> None:
    """Raise a StoreError that names what clocks and workers need and this user may not do."""
    wanted = [*of_clock(durable_of(redis)), *of_worker("host:1:a", ["default"])]
    Permissions(redis, [*wanted, *(of_shards() if shards_of(redis) else ())]).check()


class SelfCheck:
    """Reports commands that this user may not run, and keys that hold another type, as problems of the process.

    Some of them are used once a day, or at the next start.
    """

    def __init__(
        self,
        redis: Redis,
        commands: Sequence[Command],
        names: Collection[str] = (),
        *,
        clock: Clock,
        problems: Problems,
    ) -> None:
        self._redis = redis
        self._needed = Permissions(redis, commands)
        self._names = names
        self._clock = clock
        self._permissions, self._types = problems.part("permissions"), problems.part("keys")

    def look(self) -> None:
        """Look once. If Redis does not answer, the parts that need it report that."""
        try:
            self._needed.check()
            wrong = wrong_keys_among(self._redis, self._names)
        except StoreUnavailable:
            return
        except StoreError as error:
            self._permissions.failed(error)
            return
        self._permissions.works()
        self._types.found(
            *(
                Problem("wrong_type", f"In Redis, {key}. Another program wrote it: rename or delete it.")
                for key in wrong
            )
        )

    def run(self, stop: threading.Event) -> None:
        """Look every `LOOK_SECONDS` until `stop` is set."""
        while not self._clock.wait(stop, LOOK_SECONDS):
            self.look()


def _commands(needs: Mapping[str, str]) -> Iterator[Command]:
    for key, names in needs.items():
        for name in names.split():
            if name == "BLMOVE":
                yield (name, key, key, "RIGHT", "RIGHT", "0")
            elif name == "RENAME":
                yield (name, key, key)
            else:
                yield (name, key, *_FURTHER.get(name, ())) if key else (name,)
