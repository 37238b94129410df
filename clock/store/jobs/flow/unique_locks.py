"""Locks of unique jobs: a hash, key -> "jid|since|until". A lock lives as long as its job, or for its window.

The push takes the lock; the script that ends the job frees it. If another program removed the job, the lock is
left: a conflict that is older than `CHECKED_AFTER_MS` searches the job, and frees the lock if it is gone. Each
function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from redis import Redis

from clock.clocks import SystemClock, from_ms, to_ms
from clock.errors import StoreError
from clock.store import keys
from clock.store.invalid_values import text
from clock.store.jobs.job_search import Found, JobSearch
from clock.store.scripts import run, script
from clock.store.server.connection import translated
from clock.store.server.sending import WAIT_MS, check_replicated, durable_of
from clock.store.wrong_type import reading

CHECKED_AFTER_MS = 60_000  # an older lock is checked when it is in the way
FOREVER_MS = 100 * 366 * 86_400_000  # jobs that are due later than in 100 years are not searched
_LOCK = re.compile(rb"(.*)\|(\d{1,14})\|(\d{1,14})", re.DOTALL)  # jid, since, until; more digits are no date
SEARCH_SECONDS = 2.0  # of a check, at most; if it ends before, the lock stays

logger = logging.getLogger("clock.redis")
_monotonic = SystemClock().monotonic


class Lock(msgspec.Struct):
    """The lock that a push needs. If another job holds it, `holder` is that job's jid afterwards.

    `bid` is the batch that the job is added to ('': none). A job of a batch that is not unique has the key ''. If
    the batch is done, the job is not pushed, and `is_late` is true afterwards.
    """

    key: str
    jid: str
    window_ms: int = 0
    conflict: str = "skip"
    holder: str = ""
    bid: str = ""
    is_late: bool = False


class LockedPush(NamedTuple):
    """A job that is pushed if it gets its lock; `at` is in float seconds since 1970, None: now.

    `durable`: how many replicas must have it; 0: as many as the setting says.
    """

    lock: Lock
    queue: str
    payload: str
    at: float | None
    durable: int = 0


class HeldLock(NamedTuple):
    """A held lock; `until` None: it is held as long as its job lives."""

    key: str
    jid: str
    since: datetime
    until: datetime | None


def push(redis: Redis, pushes: Sequence[LockedPush], *, now_ms: int | None = None) -> None:
    """Push each job that gets its lock and is new in its batch; the other locks name their `holder`.

    Without `now_ms`, Redis's time counts: the clocks of the machines that push may differ. Raises
    StoreUnavailable; it may be called again then.
    """
    stale: dict[str, str] = {}
    at = 0
    for one, reply in zip(pushes, _push(redis, pushes, now_ms), strict=True):
        one.lock.holder, since, now = [*text(reply).rsplit("|", 2), "", ""][:3]
        one.lock.is_late = text(reply) == "||"
        if one.lock.holder and int(now) - int(since) > CHECKED_AFTER_MS:
            stale[one.lock.key], at = one.lock.holder, int(now)
    healed = heal(redis, stale, now=from_ms(at)) if stale else ()
    if again := [one for one in pushes if one.lock.key in healed]:
        push(redis, again, now_ms=now_ms)


def _push(redis: Redis, pushes: Sequence[LockedPush], now_ms: int | None) -> list[bytes]:
    queues = list(dict.fromkeys(one.queue for one in pushes))
    args: list[str | int | float] = ["" if now_ms is None else now_ms]
    for lock, queue, payload, at, _ in pushes:
        args += [lock.key, lock.jid, lock.window_ms, lock.conflict, queues.index(queue) + 1, queue, payload]
        args += ["" if at is None else at, lock.bid]
    names = [*keys.TAKEN_LOCK_KEYS, keys.QUEUES, keys.SCHEDULE, *keys.BATCH_KEYS, *map(keys.queue, queues)]
    durable = max(durable_of(redis), *(one.durable for one in pushes))
    if not durable:
        return list(run(redis, "push_unique", names, args))
    with translated(), redis.pipeline(transaction=False) as pipeline:
        script("push_unique")(names, args, pipeline)
        pipeline.set(keys.REPLICATED, 1, px=WAIT_MS)  # with it WAIT covers all earlier writes
        pipeline.wait(durable, WAIT_MS)
        replies, _, confirmed = pipeline.execute()
        check_replicated(int(confirmed), durable)
        return list(replies)


def free(redis: Redis, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Free locks, given as (key, jid); those that were freed."""
    if not pairs:
        return []
    freed = run(redis, "free_unique", keys.LOCK_KEYS, [word for pair in pairs for word in pair])
    return [pair for pair, is_freed in zip(pairs, freed, strict=True) if is_freed]


def heal(redis: Redis, locks: Mapping[str, str], *, now: datetime) -> set[str]:
    """Free the locks (key -> jid) whose job is gone; their keys.

    One search looks for all jobs. A lock whose job was found is not checked again for a minute.
    """
    missing = gone(redis, locks.values(), now=now)
    kept = [key for key, jid in locks.items() if jid not in missing]
    for lock in held(redis, kept) if kept else ():
        if lock.jid == locks[lock.key] and lock.until is None:
            with translated():
                redis.hset(keys.UNIQUE, lock.key, f"{lock.jid}|{to_ms(now)}|0")
    freed = free(redis, [(key, jid) for key, jid in locks.items() if jid in missing])
    for pair in freed:
        logger.warning("Freed the lock %s: its job %s was not found in Redis; another program removed it", *pair)
    if not freed:
        return set()
    try:
        with translated():
            redis.incr(keys.HEALED, len(freed))
    except StoreError as error:  # the jobs are pushed all the same
        logger.error("The counter %s could not be increased: %s", keys.HEALED, error)
    return {key for key, _ in freed}


def gone(redis: Redis, jids: Iterable[str], *, now: datetime, within: float = SEARCH_SECONDS) -> set[str]:
    """The jobs that can no longer run: a search of `within` seconds did not find them."""
    search, ends_at = JobSearch(redis), _monotonic() + within
    left, missing, step = set(jids), set[str](), 0
    for wanted in left:
        search.want(wanted.encode(), (0, to_ms(now) + FOREVER_MS))
    while left and _monotonic() < ends_at:
        for jid, found in search.go_on(1000 * step):  # each call is a new second for it: this one may hurry
            left.discard(text(jid))
            if found is Found.GONE:
                missing.add(text(jid))
        step += 1
    return missing


def push_kept_out(redis: Redis, pushes: Sequence[LockedPush], *, now_ms: int) -> list[str]:
    """Push jobs that a lock without a job kept out of what is committed; their jids. Logs an error of Redis."""
    try:
        return _push_kept_out(redis, pushes, now_ms) if pushes else []
    except StoreError as error:
        logger.error("The locks of unique jobs could not be checked; a later push checks them: %s", error)
        return []


def _push_kept_out(redis: Redis, pushes: Sequence[LockedPush], now_ms: int) -> list[str]:
    stale = {
        lock.key: lock.jid
        for lock in held(redis, list({one.lock.key for one in pushes}))
        if lock.until is None and now_ms - to_ms(lock.since) > CHECKED_AFTER_MS
    }
    out = [one for one in pushes if stale.get(one.lock.key, one.lock.jid) != one.lock.jid]
    locks = {one.lock.key: stale[one.lock.key] for one in out}
    healed = heal(redis, locks, now=from_ms(now_ms)) if locks else ()
    again = [one for one in out if one.lock.key in healed]
    if again:
        push(redis, again, now_ms=now_ms)
    pushed = [one.lock.jid for one in again if not (one.lock.holder or one.lock.is_late)]
    for jid in pushed:
        logger.warning("Pushed the job %s late: the job that held its lock is gone", jid)
    return pushed


def held(redis: Redis, wanted: Sequence[str] | None = None) -> Iterator[HeldLock]:
    """All locks, or the locks of some keys."""
    if wanted is None:
        found: Any = (reading(redis, lambda pipe: pipe.hgetall(keys.UNIQUE)) or {}).items()
    else:
        found = zip(wanted, reading(redis, lambda pipe: pipe.hmget(keys.UNIQUE, list(wanted))) or (), strict=False)
    for key, value in found:
        if lock := _LOCK.fullmatch(value or b""):
            jid, since, until = lock.groups()
            ends = from_ms(int(until)) if int(until) else None
            yield HeldLock(key if isinstance(key, str) else text(key), text(jid), from_ms(int(since)), ends)


def drop(redis: Redis, key: str) -> bool:
    """Free a lock by hand; whether it was held."""
    with translated(), redis.pipeline() as pipeline:
        pipeline.hdel(keys.UNIQUE, key)
        pipeline.zrem(keys.UNIQUE_WINDOWS, key)
        found: Any = pipeline.execute()
    return bool(found[0])
