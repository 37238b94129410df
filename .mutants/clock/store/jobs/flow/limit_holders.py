"""Concurrency limits in Redis: the jobs that hold a place, the blocked jobs, and the maximum that was set by hand.

A job holds a place while it is in progress, and before that from the moment when a place became free for it. The
scripts that move jobs change holders. If another program removed the job, its holder is left: while jobs are
blocked, workers check the holders that are older than `CHECKED_AFTER_MS`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from redis import Redis

from clock.store import keys
from clock.store.invalid_values import readable, text
from clock.store.jobs.flow import unique_locks
from clock.store.jobs.flow.limit_keys import LIMIT_KEYS
from clock.store.scripts import script
from clock.store.server.connection import translated

CHECKED_AFTER_MS = 60_000  # younger holders are not checked: their job may be on its way
MOST_NAMES = 1_000  # limits that are listed, or checked in one minute
IN_QUEUE = "queue"  # the place of a job that has its place and was not claimed yet
ROUNDS = 1_000  # of 100 jobs that one call hands over at most

logger = logging.getLogger("clock.redis")


class Holder(NamedTuple):
    """A job that counts against a limit. `place` is "worker#number", or "queue"; `since_ms` is ms since 1970."""

    name: str
    jid: str
    place: str
    since_ms: int
    member: bytes


class Blocked(NamedTuple):
    """A job that a full limit holds back."""

    name: str
    queue: str
    payload: bytes
    member: bytes


def holders(redis: Redis, name: str | None = None) -> Iterator[Holder]:
    """The holders of a limit, or of all. Raises StoreUnavailable."""
    with translated(), redis.pipeline(transaction=False) as pipeline:
        if name is None:
            pipeline.zrange(keys.LIMIT_HOLDERS, 0, -1)
        else:
            pipeline.zrangebylex(keys.LIMIT_HOLDERS, *_span(name))
        found: Any = readable(pipeline)[0] or ()
    for member in found:
        limit, _, rest = text(member).partition("\n")
        parts = rest.rsplit("|", 2)
        if len(parts) == 3 and parts[2].isdigit():
            yield Holder(limit, parts[0], parts[1], int(parts[2]), member)


def blocked(redis: Redis, name: str, count: int, start: int = 0) -> list[Blocked]:
    """Some blocked jobs of a limit, the next one first. Raises StoreUnavailable."""
    with translated(), redis.pipeline(transaction=False) as pipeline:
        pipeline.zrangebylex(keys.BLOCKED, *_span(name), start=start, num=count)
        found: Any = readable(pipeline)[0] or ()
    return [one for member in found if (one := read_blocked(member)) is not None]


def next_blocked(redis: Redis, names: Sequence[str]) -> dict[str, Blocked]:
    """The blocked job of each limit that is next; limits without one are left out. Raises StoreUnavailable."""
    with translated(), redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.zrangebylex(keys.BLOCKED, *_span(name), start=0, num=1)
        found: Any = [member for reply in readable(pipeline) for member in reply or ()]
    return {one.name: one for member in found if (one := read_blocked(member)) is not None}


def blocked_names(redis: Redis) -> list[str]:
    """The limits that have blocked jobs, `MOST_NAMES` at most. Raises StoreUnavailable."""
    names: list[str] = []
    after = "-"
    while len(names) < MOST_NAMES:
        with translated(), redis.pipeline(transaction=False) as pipeline:
            pipeline.zrangebylex(keys.BLOCKED, after, "+", start=0, num=1)
            found: Any = readable(pipeline)[0] or ()
        if not found:
            break
        names.append(text(found[0].partition(b"\n")[0]))
        after = f"({names[-1]}\v"
    return names


def counts(redis: Redis, names: Sequence[str]) -> list[tuple[int, int]]:
    """How many holders and how many blocked jobs each limit has. Raises StoreUnavailable."""
    with translated(), redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.zlexcount(keys.LIMIT_HOLDERS, *_span(name))
            pipeline.zlexcount(keys.BLOCKED, *_span(name))
        found: Any = [reply or 0 for reply in readable(pipeline)]
    return list(zip(found[::2], found[1::2], strict=True))


def totals(redis: Redis) -> tuple[int, int]:
    """How many holders and how many blocked jobs there are. Raises StoreUnavailable."""
    with translated(), redis.pipeline(transaction=False) as pipeline:
        pipeline.zcard(keys.LIMIT_HOLDERS)
        pipeline.zcard(keys.BLOCKED)
        held, waits = (int(reply or 0) for reply in readable(pipeline))
    return held, waits


def maxima(redis: Redis) -> dict[str, int]:
    """The maxima that were set by hand. Raises StoreUnavailable."""
    with translated(), redis.pipeline(transaction=False) as pipeline:
        pipeline.hgetall(keys.LIMITS)
        found: Any = readable(pipeline)[0] or {}
    return {text(name): int(value) for name, value in found.items() if value.isdigit()}


def set_maximum(redis: Redis, name: str, maximum: int | None) -> int:
    """Set a limit's maximum, which replaces the one in its jobs; None: remove it.

    How many blocked jobs were freed. Raises StoreUnavailable.
    """
    freed = 0
    for _ in range(ROUNDS):
        with translated():
            args = [name, "" if maximum is None else maximum]
            moved = int(script(redis, "set_limit")(keys=list(LIMIT_KEYS), args=args))
        freed += moved
        if not moved:
            break
    return freed


def remove(redis: Redis, gone: Iterable[Holder], names: Sequence[str]) -> tuple[int, int]:
    """Remove holders, and give the free places of these limits to their blocked jobs; how many of both.

    Raises StoreUnavailable.
    """
    members = [holder.member for holder in gone]
    removed = freed = 0
    for _ in range(ROUNDS):
        with translated():
            args: list[bytes | str | int] = [len(members), *members, *names]
            count, moved = script(redis, "free_holders")(keys=list(LIMIT_KEYS), args=args)
        removed, freed, members = removed + int(count), freed + int(moved), []
        if not moved:
            break
    return removed, freed


def lost(redis: Redis, suspects: Iterable[Holder], *, now_ms: int, within: float) -> list[Holder]:
    """The holders that are older than a minute and whose job is gone. A search takes `within` seconds at most.

    Raises StoreUnavailable.
    """
    old = [holder for holder in suspects if abs(now_ms - holder.since_ms) > CHECKED_AFTER_MS]
    in_queues = [holder for holder in old if holder.place == IN_QUEUE]
    missing = unique_locks.gone(redis, {one.jid for one in in_queues}, now_ms=now_ms, within=within)
    return [*not_in_progress(redis, old), *(one for one in in_queues if one.jid in missing)]


def not_in_progress(redis: Redis, suspects: Sequence[Holder]) -> list[Holder]:
    """The holders that are no longer among their worker's jobs in progress."""
    claimed = [holder for holder in suspects if "#" in holder.place]
    with translated(), redis.pipeline(transaction=False) as pipeline:
        for holder in claimed:
            worker, _, number = holder.place.rpartition("#")
            pipeline.hexists(keys.IN_PROGRESS + worker, number)
        found = readable(pipeline)
    return [holder for holder, is_there in zip(claimed, found, strict=True) if not is_there]


def heal(redis: Redis, *, now_ms: int) -> int:
    """Remove holders whose job another program removed, if jobs are blocked; how many. At most once a minute.

    Raises StoreUnavailable.
    """
    with translated():
        if not redis.exists(keys.BLOCKED) or not redis.set(keys.LIMITS_CHECKED, 1, nx=True, px=CHECKED_AFTER_MS):
            return 0
    names = blocked_names(redis)
    suspects = (holder for name in names for holder in holders(redis, name))
    gone = lost(redis, suspects, now_ms=now_ms, within=unique_locks.SEARCH_SECONDS)
    removed, _ = remove(redis, gone, names)
    for holder in gone:
        words = "Freed a place of the limit %s: its job %s was not found in Redis; another program removed it"
        logger.warning(words, holder.name, holder.jid)
    if removed:
        with translated():
            redis.incrby(keys.HEALED, removed)
    return removed


def _span(name: str) -> tuple[str, str]:
    return f"[{name}\n", f"({name}\v"


def payload_of(redis: Redis, holder: Holder) -> bytes | None:
    """The payload of a holder that is in progress. Raises StoreUnavailable."""
    worker, _, number = holder.place.rpartition("#")
    with translated():
        entry: Any = redis.hget(keys.IN_PROGRESS + worker, number) if worker else None
    return entry.partition(b"\n")[2] if entry else None


def read_blocked(member: bytes) -> Blocked | None:
    """The blocked job of a member of the sorted set; None: another program wrote it."""
    parts = member.split(b"\n", 3)
    return Blocked(text(parts[0]), text(parts[2]), parts[3], member) if len(parts) == 4 else None
