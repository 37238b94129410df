"""Concurrency limits: what they hold, what they hold back, and whether all that is right.

Each function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from clock.clocks import from_ms
from clock.inspection.doctor.finding import Finding, Grade
from clock.inspection.jobs.job_sets import free_locks_of
from clock.inspection.jobs.jobs import FoundJob, found
from clock.job.payload import instant, read_payload
from clock.printable import shortened_list
from clock.store import Redis, keys, repairs
from clock.store.jobs import scanning
from clock.store.jobs.flow import limit_holders
from clock.store.jobs.flow.limit_holders import Blocked, Holder
from clock.store.jobs.scanning import START, Cursor

LATEST = 1e11  # seconds since 1970: a later time is another program's mistake


@dataclass(frozen=True, slots=True)
class LimitView:
    """A limit: how many jobs hold a place, and how many are blocked.

    `maximum` is None if no job with the limit was read. `is_set`: it was set by hand. `oldest_at`: when the
    blocked job that is next was enqueued; None: unknown, or no job is blocked.
    """

    name: str
    maximum: int | None
    holders: int
    blocked: int
    is_set: bool = False
    oldest_at: datetime | None = None


def limits(redis: Redis, shown: int | None = None) -> list[LimitView]:
    """The limits that have holders or blocked jobs, or whose maximum was set by hand, by name.

    `shown`: the maximum of so many of them is searched in the jobs in progress; None: of all.
    """
    by_hand = limit_holders.maxima(redis)
    first = {holder.name: holder for holder in limit_holders.holders(redis)}
    names = sorted({*by_hand, *first, *limit_holders.blocked_names(redis)})
    counts, waiting = limit_holders.counts(redis, names), limit_holders.next_blocked(redis, names)
    maxima = {name: maxima_of(one.payload).get(name) for name, one in waiting.items()} | by_hand
    maxima |= _maxima_of_running(redis, [first[name] for name in names[:shown] if name in first.keys() - maxima])
    return [
        LimitView(name, maxima.get(name), held, waits, name in by_hand, _enqueued_at(waiting.get(name)))
        for name, (held, waits) in zip(names, counts, strict=True)
    ]


def _maxima_of_running(redis: Redis, holders: Iterable[Holder]) -> dict[str, int]:
    """The maxima in the payloads of running jobs, by name. The jobs of each worker are read once."""
    names, known = defaultdict[str, set[str]](set), dict[str, int]()
    for holder in holders:
        names[holder.worker].add(holder.name)
    names.pop("", None)  # the job is in a queue
    for worker, wanted in names.items():
        for _, payload in limit_holders.jobs_of(redis, worker):
            known |= {name: maximum for name, maximum in maxima_of(payload).items() if name in wanted}
            if wanted <= known.keys():
                break
    return known


def _enqueued_at(waits: Blocked | None) -> datetime | None:
    at = instant(found(waits.payload).payload.get("enqueued_at")) if waits else None
    return from_ms(round(at * 1000)) if at is not None and 0 <= at < LATEST else None


def places(redis: Redis, name: str, count: int) -> list[tuple[str, str]]:
    """Some holders of a limit: jid and place, "worker#number" or "queue"."""
    return list(islice(_places(redis, name), count))


def _places(redis: Redis, name: str) -> Iterator[tuple[str, str]]:
    for holder in limit_holders.holders(redis, name):
        if not holder.worker:
            yield holder.jid, limit_holders.IN_QUEUE
        jobs = limit_holders.jobs_of(redis, holder.worker) if holder.worker else ()
        for number, payload in jobs:
            if name in maxima_of(payload):
                yield found(payload).jid, f"{holder.worker}#{number}"


def blocked_jobs(redis: Redis, name: str, count: int) -> list[FoundJob]:
    """Some blocked jobs of a limit, the next one first."""
    return [found(one.payload) for one in limit_holders.blocked(redis, name, count)]


def find_blocked(redis: Redis, jid: str) -> tuple[Blocked, FoundJob] | None:
    """The blocked job with this id, after reading all blocked jobs."""
    at: Cursor | None = START
    while at is not None:
        step = scanning.set_step(redis, keys.BLOCKED, at, [f"={jid}"], "lowest")
        for seen in step.jobs:
            one = limit_holders.read_blocked(seen.member)
            if one and (job := found(one.payload)).jid == jid:
                return one, job
        at = step.cursor
    return None


def delete_blocked(redis: Redis, jid: str) -> bool:
    """Delete a blocked job; False: it is not blocked."""
    one = find_blocked(redis, jid)
    if one is None:
        return False
    return free_locks_of(redis, [one[1]], repairs.remove_waiting(redis, keys.BLOCKED, [one[0].member])) == 1


def blocked_finding(redis: Redis) -> Iterator[Finding]:
    """Which limits hold jobs back."""
    full = [view for view in limits(redis, shown=0) if view.blocked]
    if full:
        shown = [f"{view.name} ({view.blocked:,} blocked, {view.holders} of {view.maximum} run)" for view in full]
        yield Finding("limits", Grade.GOOD, f"full: {shortened_list(shown)}")


def maxima_of(payload: bytes) -> Mapping[str, int]:
    """The limits of a payload: name -> maximum."""
    rules = read_payload(payload).get("limits")
    entries: Sequence[object] = rules if isinstance(rules, list) else []
    return {
        str(entry["name"]): entry["max"]
        for entry in entries
        if isinstance(entry, dict) and "name" in entry and isinstance(entry.get("max"), int)
    }
