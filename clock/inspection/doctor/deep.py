"""The checks of `clock doctor --deep`: locks, limits and batches against their jobs. They read all jobs.

Each function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from clock.inspection.doctor.finding import Finding, Grade
from clock.inspection.jobs.busy import claimed_jobs
from clock.inspection.jobs.limits import maxima_of
from clock.job.payload import Payload, read_payload
from clock.printable import shortened_list
from clock.store import Redis, keys, listing
from clock.store.jobs.flow import batches, limit_holders, unique_locks
from clock.store.jobs.flow.batches import Correction
from clock.store.jobs.flow.limit_holders import Holder
from clock.store.jobs.flow.unique_locks import CHECKED_AFTER_MS, HeldLock

CHECKED_AFTER = timedelta(milliseconds=CHECKED_AFTER_MS)
SECONDS = 60.0  # of a check, at most


def locks_finding(redis: Redis, now: datetime) -> Finding:
    """Whether each lock has its job."""
    lost = shortened_list([f"{lock.key} of {lock.jid}" for lock in lost_locks(redis, now)])
    advice = "another program removed these jobs; the next push frees the lock"
    return _finding("unique jobs", lost and f"locks without a job: {lost}", advice, good="each lock has its job")


def limits_finding(redis: Redis, now: datetime) -> Finding:
    """Whether each holder has its job, and each blocked job a full limit."""
    faults = [one.fault for one in lost_holders(redis, now)]
    faults += free_but_blocked(redis)
    advice = "another program removed these jobs; a worker frees the places within a minute"
    good = "each holder has its job, and each blocked job a full limit"
    return _finding("limits", shortened_list(faults, between="; "), advice, good=good)


def children_finding(redis: Redis, now: datetime) -> Finding:
    """Whether the pending jobs of each batch are its living jobs."""
    wrong = shortened_list([f"{one.jid} of {one.bid} ({one.status})" for one in wrong_children(redis, now)])
    found = wrong and f"pending jobs that are lost, or living jobs that are not pending: {wrong}"
    advice = "another program moved these jobs; a worker corrects lost ones within minutes"
    return _finding("batches", found, advice, good="the pending jobs of each batch are in Redis")


def _finding(subject: str, found: str, advice: str, *, good: str) -> Finding:
    if not found:
        return Finding(subject, Grade.GOOD, good)
    return Finding(subject, Grade.WARNING, found, f"{advice}, or now: clock doctor --deep --repair")


def lost_locks(redis: Redis, now: datetime) -> list[HeldLock]:
    """Locks older than a minute whose job is gone: another program removed it. Reads all jobs."""
    old = [lock for lock in unique_locks.held(redis) if lock.until is None and now - lock.since > CHECKED_AFTER]
    missing = unique_locks.gone(redis, [lock.jid for lock in old], now=now, within=SECONDS)
    return [lock for lock in old if lock.jid in missing]


def free_lost_locks(redis: Redis, now: datetime) -> int:
    """Free the locks whose job is gone; how many."""
    return len(unique_locks.free(redis, [(lock.key, lock.jid) for lock in lost_locks(redis, now)]))


def lost_holders(redis: Redis, now: datetime) -> list[Holder]:
    """Holders of limits whose job is gone, because another program removed it."""
    return limit_holders.lost(redis, limit_holders.holders(redis), now=now, within=SECONDS)


def free_lost_holders(redis: Redis, now: datetime) -> int:
    """Remove holders whose job is gone, and hand over the free places; how many."""
    names = limit_holders.blocked_names(redis)
    removed, _ = limit_holders.remove(redis, lost_holders(redis, now), names)
    return removed


def free_but_blocked(redis: Redis) -> Iterator[str]:
    """The limits with a free place and blocked jobs, in words."""
    by_hand = limit_holders.maxima(redis)
    names = limit_holders.blocked_names(redis)
    for name, (held, waits) in zip(names, limit_holders.counts(redis, names), strict=True):
        for one in limit_holders.blocked(redis, name, 1):
            maximum = by_hand.get(name, maxima_of(one.payload).get(name, 0))
            if held < maximum:
                yield f"{name} has {held} of {maximum} holders, but {waits} jobs are blocked"


def wrong_children(redis: Redis, now: datetime) -> list[Correction]:
    """Children that are pending and gone, or alive and not pending. Reads all jobs."""
    waiting = [(bid, jid) for _, bid, jid in batches.pending(redis)]
    gone = unique_locks.gone(redis, [jid for _, jid in waiting], now=now, within=SECONDS)
    lost = [Correction(bid, jid, "", "lost") for bid, jid in waiting if jid in gone]
    return [*lost, *_revived(redis)]


def _revived(redis: Redis) -> Iterator[Correction]:
    """Living jobs that their batch counts as failed, or that it does not know."""
    living = {(str(job["bid"]), str(job["jid"])): str(job.get("class")) for job in _jobs_of_batches(redis)}
    pairs = list(living)
    known = {
        bid for bid, one in batches.read_all(redis).items() if one.state != "done" or "success" not in one.fired
    }
    for start in range(0, len(pairs), batches.PAGE):
        some = pairs[start : start + batches.PAGE]
        for (bid, jid), state in zip(some, batches.state_of(redis, some), strict=True):
            if bid in known and state in ("", "f"):
                yield Correction(bid, jid, living[bid, jid], "living")


def _jobs_of_batches(redis: Redis) -> Iterator[Payload]:
    for name in listing.queue_names(redis):
        yield from _with_bid(listing.queue_payloads(redis, name))
    for where in (keys.SCHEDULE, keys.RETRY):
        yield from _with_bid(member for member, _ in listing.waiting(redis, where))
    yield from (held.job.payload for held in claimed_jobs(redis) if "bid" in held.job.payload)


def _with_bid(payloads: Iterator[bytes]) -> Iterator[Payload]:
    for text in payloads:
        if b'"bid"' in text and isinstance((job := read_payload(text)).get("bid"), str):
            yield job


def correct_children(redis: Redis, now: datetime) -> int:
    """Correct the jobs that `wrong_children` finds; how many."""
    return batches.correct(redis, wrong_children(redis, now), now=now)
