"""Reads the data in Redis, for people: queues, delayed and dead jobs, workers, counters, the server itself.

Nothing here changes anything. Each function raises StoreUnavailable. Those that count or list jobs and workers add
up all shards of a home; the others read one place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from clock.store import keys
from clock.store.invalid_values import number, text
from clock.store.jobs.steps import PageSize
from clock.store.ledger import history
from clock.store.ledger.entry import LedgerRow, instant_ms
from clock.store.server.connection import translated
from clock.store.server.shards import added, every
from clock.store.wrong_type import reading, readings, typed


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many jobs wait in each of the sorted sets, and how many have been run and have failed, ever."""

    schedule: int
    retry: int
    dead: int
    processed: int
    failed: int


def queue_names(redis: Redis) -> list[str]:
    """The names of all queues ever pushed to, in order."""
    return sorted({text(name) for place in every(redis) for name in _members(place, keys.QUEUES)})


def queue_ends(redis: Redis, names: Sequence[str]) -> list[tuple[int, bytes | None] | None]:
    """For each queue how many jobs it holds, and the payload that is taken next; None: its key holds no list."""
    each = [keys.queue(name) for name in names]
    replies = readings(redis, lambda pipe: [(pipe.llen(key), pipe.lindex(key, -1)) for key in each])
    return [
        None if size is None else (size, payload)
        for size, payload in zip(replies[::2], replies[1::2], strict=True)
    ]


def queue_payloads(redis: Redis, name: str) -> Iterator[bytes]:
    """The payloads of a queue in the order of their claims, read page by page while workers use it."""
    last, size = -1, PageSize()
    while True:
        wanted = size.jobs
        with translated():
            page: Any = redis.lrange(keys.queue(name), last - wanted + 1, last)
        yield from reversed(page)
        if len(page) < wanted:
            return
        size.note(page)
        last -= wanted


def waiting(redis: Redis, where: str) -> Iterator[tuple[bytes, float]]:
    """The members of `schedule`, `retry` or `dead` with their scores, lowest first; read page by page."""
    first, size = 0, PageSize()
    while True:
        wanted = size.jobs
        with translated():
            page: Any = redis.zrange(where, first, first + wanted - 1, withscores=True)
        yield from page
        if len(page) < wanted:
            return
        size.note(member for member, _ in page)
        first += wanted


def size(redis: Redis, where: str) -> int:
    """How many members `schedule`, `retry` or `dead` has."""
    with translated():
        return sum(int(place.zcard(where)) for place in every(redis))


def sizes(redis: Redis) -> Sizes:
    """The sizes of `schedule`, `retry` and `dead`, and Sidekiq's counters."""
    found = [_sizes(place) for place in every(redis)]
    return Sizes(*map(sum, zip(*found, strict=True)))


def _sizes(redis: Redis) -> tuple[int, ...]:
    schedule, retry, dead, (processed, failed) = readings(
        redis,
        lambda pipe: [
            *map(pipe.zcard, (keys.SCHEDULE, keys.RETRY, keys.DEAD)),
            pipe.mget(keys.STAT_PROCESSED, keys.STAT_FAILED),
        ],
    )
    return schedule or 0, retry or 0, dead or 0, number(processed), number(failed)


def counters(redis: Redis, names: Sequence[str]) -> list[int]:
    """The values of counters; 0 if one is missing or not a number. Raises StoreUnavailable."""
    found = readings(redis, lambda pipe: [pipe.get(name) for name in names])
    return [int(value) if value and value.isdigit() else 0 for value in found]


def parked(redis: Redis) -> dict[str, int]:
    """How many jobs are parked, by the class that no worker knows."""
    return added(map(_parked, every(redis)))


def _parked(redis: Redis) -> dict[str, int]:
    names = _members(redis, keys.PARKED)
    counts = readings(redis, lambda pipe: [pipe.llen(keys.PARKED_JOBS.encode() + name) for name in names])
    return {text(name): count for name, count in zip(names, counts, strict=True) if count}


def _members(redis: Redis, key: str) -> list[bytes]:
    """The members of a set, in order; none of a key of another type."""
    return sorted(reading(redis, lambda pipe: pipe.smembers(key)) or ())


def processes(redis: Redis) -> dict[str, dict[str, str]]:
    """The heartbeat of each worker, Sidekiq's as well; empty for a worker whose heartbeat has expired."""
    return {identity: beat for place in every(redis) for identity, beat in _processes(place).items()}


def _processes(redis: Redis) -> dict[str, dict[str, str]]:
    identities = _members(redis, keys.PROCESSES)
    beats = readings(redis, lambda pipe: list(map(pipe.hgetall, identities)))
    return {
        text(identity): {text(name): text(value) for name, value in (beat or {}).items()}
        for identity, beat in zip(identities, beats, strict=True)
    }


def work(redis: Redis, workers: Sequence[str] | None = None) -> dict[str, dict[str, bytes]]:
    """The reports of workers, Sidekiq's as well, on their busy threads: thread -> JSON. None: all workers."""
    found: dict[str, dict[str, bytes]] = {}
    for place in every(redis):
        for identity, reports in _work(place, workers).items():
            found[identity] = found.get(identity, {}) | reports
    return found


def _work(redis: Redis, workers: Sequence[str] | None) -> dict[str, dict[str, bytes]]:
    identities = list(map(text, _members(redis, keys.PROCESSES))) if workers is None else workers
    each = [key for identity in identities for key in (keys.work(identity), keys.workers(identity))]
    replies = readings(redis, lambda pipe: list(map(pipe.hgetall, each)))
    return {
        identity: {text(thread): report for thread, report in (new or old or {}).items()}
        for identity, new, old in zip(identities, replies[::2], replies[1::2], strict=True)
    }


def days(redis: Redis, names: Sequence[str]) -> list[tuple[int, int]]:
    """How many jobs were run and how many failed on each of these days (YYYY-MM-DD, UTC)."""
    asked = [f"{stat}:{day}" for stat in (keys.STAT_PROCESSED, keys.STAT_FAILED) for day in names]
    counts = [0] * len(asked)
    for place in every(redis) if asked else ():
        with translated():
            found: Any = place.mget(asked)
        counts = [count + number(value) for count, value in zip(counts, found, strict=True)]
    return list(zip(counts[: len(names)], counts[len(names) :], strict=True))


def ledger(redis: Redis) -> dict[str, LedgerRow]:
    """The ledger's entries, by event, without those that are broken. Raises WrongType."""
    anchors, declarations, decided, counted = (_hash(redis, name) for name in keys.LEDGER_ENTRY)
    rows = {
        event: LedgerRow.of(anchors.get(event), declaration, decided.get(event), counted.get(event))
        for event, declaration in declarations.items()
    }
    return {keys.shown(event): row for event, row in rows.items() if row is not None}


def ledger_row(redis: Redis, event: str) -> LedgerRow | None:
    """The ledger's entry of one event; None: missing or broken. Raises WrongType."""
    return LedgerRow.of(*(_field(redis, name, event) for name in keys.LEDGER_ENTRY))


def _field(redis: Redis, name: str, event: str) -> bytes | None:
    with typed(redis, name, "hash"):
        value: Any = redis.hget(name, event)
    return value if isinstance(value, bytes) else None


def ledger_size(redis: Redis) -> int:
    """How many events the ledger has. Raises WrongType."""
    with typed(redis, keys.LEDGER_DECLARATION, "hash"):
        return int(redis.hlen(keys.LEDGER_DECLARATION))


def broken_entries(redis: Redis) -> list[str]:
    """The events whose ledger entry lacks a part, or has an invalid instant. Raises WrongType."""
    anchors, declarations, decided, _ = (_hash(redis, name) for name in keys.LEDGER_ENTRY)
    names = {**anchors, **declarations, **decided}
    return sorted(
        keys.shown(event)
        for event in names
        if event not in declarations or None in (instant_ms(anchors.get(event)), instant_ms(decided.get(event)))
    )


def _hash(redis: Redis, name: str) -> dict[bytes, bytes]:
    with typed(redis, name, "hash"):
        rows: Any = redis.hgetall(name)
    found: dict[bytes, bytes] = rows
    return found


def orphaned(redis: Redis) -> dict[str, int]:
    """The events that have left the clock file, as the clock has noted, and when, in ms since 1970."""
    left = _hash(redis, keys.LEDGER_ORPHANED)
    return {keys.shown(event): instant_ms(at) or 0 for event, at in left.items()}


def holders(redis: Redis) -> tuple[set[str], set[str]]:
    """The identities with jobs in progress, and the identities of registered workers."""
    with translated():
        found = [bytes(key) for key in redis.scan_iter(match=f"{keys.IN_PROGRESS}*", count=1000)]
    return {text(key).removeprefix(keys.IN_PROGRESS) for key in found}, set(registered(redis))


def registered(redis: Redis) -> list[str]:
    """The identities of clock's workers that live, and of dead workers whose jobs wait to be put back."""
    return list(map(text, reading(redis, lambda pipe: pipe.zrange(keys.WORKERS, 0, -1)) or ()))


def in_progress_sizes(redis: Redis) -> dict[str, int]:
    """How many jobs each worker of one place has claimed and not finished; dead workers as well."""
    names = sorted(set[str]().union(*holders(redis)))
    sizes = readings(redis, lambda pipe: [pipe.hlen(keys.IN_PROGRESS + name) for name in names])
    return {name: size or 0 for name, size in zip(names, sizes, strict=True)}


def server(redis: Redis) -> Mapping[str, object]:
    """The server's INFO."""
    with translated():
        info: dict[str, object] = redis.info()
    return info


def server_setting(redis: Redis, name: str) -> str | None:
    """A setting of the server, or None if this user may not read it, as with most providers."""
    with translated():
        try:
            info: Any = redis.config_get(name)
        except ResponseError:
            return None
    value = info.get(name)
    return value.decode() if isinstance(value, bytes) else value


def latest_decisions(redis: Redis, events: Sequence[str]) -> list[dict[str, Any] | None]:
    """The latest entry of each event's history; None: it has none, or what is there is not one."""
    replies = readings(redis, lambda pipe: [pipe.xrevrange(keys.HISTORY + event, count=1) for event in events])
    return [history.decoded(reply[0][1].get(b"entry")) if reply else None for reply in replies]
