"""Concurrency limits in Redis: the jobs that hold a place, the blocked jobs, and the maximum that was set by hand.

A job holds a place while it is in progress, and before that from the moment when a place became free for it. The
scripts that move jobs change holders. If another program removed the job, its holder is left: while jobs are
blocked, workers check the holders. Those of jobs in queues are checked after `CHECKED_AFTER_MS`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from redis import Redis

from clock.clocks import to_ms
from clock.store import keys
from clock.store.invalid_values import readable, text
from clock.store.jobs.flow import unique_locks
from clock.store.jobs.flow.limit_keys import LIMIT_KEYS
from clock.store.scripts import script
from clock.store.server.connection import translated
from clock.store.wrong_type import reading, readings

CHECKED_AFTER_MS = 60_000  # the job of a younger holder may be on its way to its queue
MOST_NAMES = 1_000  # limits that are listed, or checked in one minute
IN_QUEUE = "queue"  # the place of a job that has its place and was not claimed yet
ROUNDS = 1_000  # of 100 jobs that one call hands over at most

logger = logging.getLogger("clock.redis")


class Holder(NamedTuple):
    """A job that counts against a limit. `place` is "worker#number", or "queue".

    In the second case it has `jid`, and since when it holds its place (ms since 1970).
    """

    name: str
    place: str
    member: bytes
    jid: str = ""
    since_ms: int = 0

    @property
    def job(self) -> str:
        """The job, in words."""
        worker, _, number = self.place.rpartition("#")
        return f"job {self.jid}" if self.jid else f"job {number} of the worker {worker}"


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
        jid, _, since = rest.rpartition(f"|{IN_QUEUE}|")
        if jid and since.isdecimal() and len(since) < 15:
            yield Holder(limit, IN_QUEUE, member, jid, int(since))
        else:
            yield Holder(limit, rest, member)


def blocked(redis: Redis, name: str, count: int) -> list[Blocked]:
    """Some blocked jobs of a limit, the next one first. Raises StoreUnavailable."""
    with translated(), redis.pipeline(transaction=False) as pipeline:
        pipeline.zrangebylex(keys.BLOCKED, *_span(name), start=0, num=count)
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
    found: Any = reading(redis, lambda pipe: pipe.hgetall(keys.LIMITS)) or {}
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


def lost(redis: Redis, suspects: Iterable[Holder], *, now: datetime, within: float) -> list[Holder]:
    """The holders whose job is gone. A search in queues takes `within` seconds at most.

    Raises StoreUnavailable.
    """
    known = list(suspects)
    old = [one for one in known if one.place == IN_QUEUE and abs(to_ms(now) - one.since_ms) > CHECKED_AFTER_MS]
    missing = unique_locks.gone(redis, {one.jid for one in old}, now=now, within=within)
    return [*not_in_progress(redis, known), *(one for one in old if one.jid in missing)]


def not_in_progress(redis: Redis, suspects: Sequence[Holder]) -> list[Holder]:
    """The holders whose job was not in progress, and that still hold a place after that was read."""
    claimed = [holder for holder in suspects if holder.place != IN_QUEUE]
    with translated(), redis.pipeline(transaction=False) as pipeline:
        for holder in claimed:
            worker, _, number = holder.place.rpartition("#")
            pipeline.hexists(keys.IN_PROGRESS + worker, number)
        found = readable(pipeline)
    missing = [holder for holder, is_there in zip(claimed, found, strict=True) if not is_there]
    found = readings(redis, lambda pipe: [pipe.zscore(keys.LIMIT_HOLDERS, holder.member) for holder in missing])
    return [holder for holder, score in zip(missing, found, strict=True) if score is not None]


def heal(redis: Redis, *, now: datetime) -> int:
    """Remove holders whose job another program removed, if jobs are blocked; how many. At most once a minute.

    Raises StoreUnavailable.
    """
    with translated():
        if not redis.exists(keys.BLOCKED) or not redis.set(keys.LIMITS_CHECKED, 1, nx=True, px=CHECKED_AFTER_MS):
            return 0
    names = blocked_names(redis)
    suspects = (holder for name in names for holder in holders(redis, name))
    gone = lost(redis, suspects, now=now, within=unique_locks.SEARCH_SECONDS)
    removed, _ = remove(redis, gone, names)
    for holder in gone:
        words = "Freed a place of the limit %s: its %s was not found in Redis; another program removed it"
        logger.warning(words, holder.name, holder.job)
    if removed:
        with translated():
            redis.incrby(keys.HEALED, removed)
    return removed


def _span(name: str) -> tuple[str, str]:
    return f"[{name}\n", f"({name}\v"


def payloads(redis: Redis, held: Sequence[Holder]) -> list[bytes | None]:
    """The payload of each holder that is in progress; None: it is not. Raises StoreUnavailable."""
    with translated(), redis.pipeline(transaction=False) as pipeline:
        for holder in held:
            worker, _, number = holder.place.rpartition("#")
            pipeline.hget(keys.IN_PROGRESS + worker, number)
        found: Any = readable(pipeline)
    return [entry.partition(b"\n")[2] if entry else None for entry in found]


def read_blocked(member: bytes) -> Blocked | None:
    """The blocked job of a member of the sorted set; None: another program wrote it."""
    parts = member.split(b"\n", 3)
    return Blocked(text(parts[0]), text(parts[2]), parts[3], member) if len(parts) == 4 else None
