"""Concurrency limits in Redis: the jobs that hold a place, the blocked jobs, and the maximum that was set by hand.

A job holds a place while it is in progress, and before that from the moment when a place became free for it. Jobs
in progress are members of their worker's hash. For each worker and limit, Redis also has their number. Only the
scripts that add members to the hash, or remove them, change it, by as many as they did. If another program removed
jobs, places are left: while jobs are blocked, workers count the jobs in progress again. Jobs in queues are
searched after `CHECKED_AFTER_MS`.

Each function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from redis import Redis

from clock.clocks import to_ms
from clock.errors import StoreError
from clock.store import keys
from clock.store.invalid_values import json_object, text
from clock.store.jobs.flow import unique_locks
from clock.store.listing import queue_payloads
from clock.store.scripts import run
from clock.store.server.connection import translated
from clock.store.wrong_type import WrongType, reading, readings, typed

CHECKED_AFTER_MS = 60_000  # the job of a younger holder may be on its way to its queue
MOST_NAMES = 1_000  # limits that are listed, or checked in one minute
IN_QUEUE = "queue"  # the place of a job that has its place and was not claimed yet
MOST_BYTES = 8_000_000  # of a worker's jobs in progress, or of a queue, that are read for the check: a few ms
MOST_JOBS = 1_000  # in progress of one worker that are read to show limits
MOST_AT_FRONT = 100  # jobs at the front of a paused queue that may have places

logger = logging.getLogger("clock.redis")


class Holder(NamedTuple):
    """A part of the places of a limit: `jobs` jobs in progress of a worker, or a job that has its place already.

    The latter waits at the front of its queue: it has `jid`, and since when it holds its place (ms since 1970).
    `found`: how many jobs in progress of the worker have the limit, if that was counted.
    """

    name: str
    member: bytes
    worker: str = ""
    jobs: int = 1
    jid: str = ""
    since_ms: int = 0
    found: int = 0

    @property
    def fault(self) -> str:
        """The fault of a holder that `lost` returned, in words."""
        if not self.worker:
            return f"{self.name} is held by job {self.jid}, which is gone"
        return (
            f"{self.name}: the worker {self.worker} holds {self.jobs} and has {self.found} such jobs in progress"
        )


class Blocked(NamedTuple):
    """A job that a full limit holds back."""

    name: str
    queue: str
    payload: bytes
    member: bytes


def holders(redis: Redis, name: str | None = None) -> Iterator[Holder]:
    """The holders of a limit, or of all."""
    low, high = ("-", "+") if name is None else (f"[{name}\n", f"({name}\f")
    found: Any = reading(redis, lambda pipe: pipe.zrangebylex(keys.LIMIT_HOLDERS, low, high)) or ()
    yield from map(_read_holder, found)


def _read_holder(member: bytes) -> Holder:
    name, is_worker, rest = text(member).partition("\v")
    worker, _, count = rest.rpartition("\v")
    if is_worker and worker and count.isdecimal() and len(count) < 10:
        return Holder(name, member, worker, int(count))
    name, _, rest = text(member).partition("\n")
    jid, _, since = rest.rpartition(f"|{IN_QUEUE}|")
    if jid and since.isdecimal() and len(since) < 15:
        return Holder(name, member, jid=jid, since_ms=int(since))
    return Holder(name, member, jid=rest)  # another program wrote it


def blocked(redis: Redis, name: str, count: int) -> list[Blocked]:
    """Some blocked jobs of a limit, the next one first."""
    found = _members_of_blocked(redis, *_span(name), count)
    return [one for member in found if (one := read_blocked(member))]


def _members_of_blocked(redis: Redis, low: str, high: str, count: int) -> list[bytes]:
    return reading(redis, lambda pipe: pipe.zrangebylex(keys.BLOCKED, low, high, start=0, num=count)) or []


def next_blocked(redis: Redis, names: Sequence[str]) -> dict[str, Blocked]:
    """The blocked job of each limit that is next; limits without one are left out."""
    replies = readings(
        redis, lambda pipe: [pipe.zrangebylex(keys.BLOCKED, *_span(name), start=0, num=1) for name in names]
    )
    members = (member for reply in replies for member in reply or ())
    return {one.name: one for member in members if (one := read_blocked(member))}


def blocked_names(redis: Redis) -> list[str]:
    """The limits that have blocked jobs, `MOST_NAMES` at most."""
    names: list[str] = []
    after = "-"
    while len(names) < MOST_NAMES and (found := _members_of_blocked(redis, after, "+", 1)):
        names.append(text(found[0].partition(b"\n")[0]))
        after = f"({names[-1]}\v"
    return names


def counts(redis: Redis, names: Sequence[str]) -> list[tuple[int, int]]:
    """How many jobs hold a place of each limit, and how many are blocked."""
    found = readings(
        redis,
        lambda pipe: [
            (
                pipe.zrangebylex(keys.LIMIT_HOLDERS, f"[{name}\v", f"({name}\f"),
                pipe.zlexcount(keys.LIMIT_HOLDERS, *_span(name)),
                pipe.zlexcount(keys.BLOCKED, *_span(name)),
            )
            for name in names
        ],
    )
    triples = zip(found[::3], found[1::3], found[2::3], strict=True)
    return [(_sum(workers or ()) + (waits or 0), blocked or 0) for workers, waits, blocked in triples]


def _sum(members: Iterable[bytes]) -> int:
    """How many jobs hold a place."""
    return sum(holder.jobs for holder in map(_read_holder, members))


def totals(redis: Redis) -> tuple[int, int]:
    """How many jobs hold a place, and how many are blocked."""
    held, waits = readings(redis, lambda pipe: [pipe.zrange(keys.LIMIT_HOLDERS, 0, -1), pipe.zcard(keys.BLOCKED)])
    return _sum(held or ()), int(waits or 0)


def maxima(redis: Redis) -> dict[str, int]:
    """The maxima that were set by hand."""
    found: Any = reading(redis, lambda pipe: pipe.hgetall(keys.LIMITS)) or {}
    return {text(name): int(value) for name, value in found.items() if value.isdigit()}


def set_maximum(redis: Redis, name: str, maximum: int | None) -> int:
    """Set a limit's maximum, which replaces that of its jobs; None: remove it. How many jobs were freed."""
    freed = 0
    args = [name, "" if maximum is None else maximum]
    while moved := int(run(redis, "set_limit", keys.LIMIT_KEYS, args)):
        freed += moved
    return freed


def remove(redis: Redis, gone: Iterable[Holder], names: Sequence[str]) -> tuple[int, int]:
    """Remove holders without a job, and give the free places of these limits to blocked jobs; how many of both."""
    known = list(gone)
    removed = sum(max(one.jobs - one.found, 0) for one in _counted(redis, known, corrects=True))
    members, freed = [one.member for one in known if not one.worker], 0
    while True:
        count, moved = run(redis, "free_holders", keys.LIMIT_KEYS, [len(members), *members, *names])
        removed, freed, members = removed + int(count), freed + int(moved), []
        if not moved:
            return removed, freed


def _counted(redis: Redis, suspects: Iterable[Holder], *, corrects: bool) -> Iterator[Holder]:
    """The holders that are jobs in progress, with `found`. Those with too many bytes to read are left out."""
    by_worker: dict[str, dict[str, Holder]] = {}
    for holder in suspects:
        if holder.worker:
            by_worker.setdefault(holder.worker, {})[holder.name] = holder
    for worker, held in by_worker.items():
        names = [*keys.LIMIT_KEYS, keys.IN_PROGRESS + worker]
        numbers = run(redis, "count_places", names, [int(corrects), MOST_BYTES, *held])
        for holder, had, actual in zip(held.values(), numbers[::2], numbers[1::2], strict=False):
            yield holder._replace(jobs=int(had), found=int(actual))


def lost(redis: Redis, suspects: Iterable[Holder], *, now: datetime, within: float) -> list[Holder]:
    """The holders whose job is gone. A search in queues takes `within` seconds at most."""
    known = list(suspects)
    return [*miscounted(redis, known), *_gone(redis, known, now=now, within=within)]


def _gone(redis: Redis, suspects: Iterable[Holder], *, now: datetime, within: float) -> list[Holder]:
    """The holders that wait in a queue and are in none."""
    old = [one for one in suspects if not one.worker and abs(to_ms(now) - one.since_ms) > CHECKED_AFTER_MS]
    missing = unique_locks.gone(redis, {one.jid for one in old}, now=now, within=within)
    return [one for one in old if one.jid in missing]


def miscounted(redis: Redis, suspects: Iterable[Holder]) -> list[Holder]:
    """The workers that have more or fewer places of a limit than jobs in progress."""
    return [holder for holder in _counted(redis, suspects, corrects=False) if holder.jobs != holder.found]


def heal(redis: Redis, *, now: datetime) -> int:
    """Remove holders whose job another program removed, if jobs are blocked; how many. At most once a minute."""
    with translated():
        if not redis.exists(keys.BLOCKED) or not redis.set(keys.LIMITS_CHECKED, 1, nx=True, px=CHECKED_AFTER_MS):
            return 0
    names = blocked_names(redis)
    remove(redis, _in_paused_queues(redis, now), names)
    suspects = [holder for name in names for holder in holders(redis, name)]
    gone = miscounted(redis, suspects)
    with _unless_refused():
        gone += _gone(redis, suspects, now=now, within=unique_locks.SEARCH_SECONDS)
    removed, _ = remove(redis, gone, names)
    for holder in gone:
        logger.warning("Corrected the places of a limit; another program removed jobs. %s", holder.fault)
    if removed:
        with translated():
            redis.incrby(keys.HEALED, removed)
    return removed


@contextmanager
def _unless_refused() -> Iterator[None]:
    """Skip the rest of the block for a queue that this user may not read, or whose key has another type."""
    try:
        yield
    except StoreError as error:
        if error.cause not in ("no_permission", "wrong_type"):
            raise


def _in_paused_queues(redis: Redis, now: datetime) -> list[Holder]:
    """The holders that wait in a paused queue and got their places a while ago: other jobs need the places.

    Such jobs are at the fronts of their queues, so only these are read. Without its places, the claim decides
    again whether the job may start.
    """
    jids: set[str] = set()
    for queue in reading(redis, lambda pipe: pipe.smembers(keys.PAUSED_QUEUES)) or ():
        with _unless_refused():
            jids.update(_jids_at_front(redis, text(queue)))
    until = to_ms(now) - CHECKED_AFTER_MS
    return [one for one in holders(redis) if one.jid in jids and one.since_ms < until] if jids else []


def _jids_at_front(redis: Redis, queue: str) -> Iterator[str]:
    size = 0
    for payload in islice(queue_payloads(redis, queue), MOST_AT_FRONT):
        if job := json_object(payload):
            yield str(job.get("jid"))
        size += len(payload)
        if size > MOST_BYTES:
            return


def _span(name: str) -> tuple[str, str]:
    return f"[{name}\n", f"({name}\v"


def jobs_of(redis: Redis, worker: str) -> Iterator[tuple[str, bytes]]:
    """The jobs in progress of a worker, `MOST_JOBS` at most: number and payload."""
    key = keys.IN_PROGRESS + worker
    with suppress(WrongType), typed(redis, key, "hash"):
        for number, entry in islice(redis.hscan_iter(key, count=10), MOST_JOBS):
            yield text(number), entry.partition(b"\n")[2]


def read_blocked(member: bytes) -> Blocked | None:
    """The blocked job of a member of the sorted set; None: another program wrote it."""
    parts = member.split(b"\n", 3)
    return Blocked(text(parts[0]), text(parts[2]), parts[3], member) if len(parts) == 4 else None
