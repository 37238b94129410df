"""Changes that a person makes in Redis; each step is atomic, and leaves jobs alone that have moved.

Each function raises StoreUnavailable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from redis import Redis

from clock.clocks import SystemClock, to_ms
from clock.store import keys
from clock.store.jobs.flow.batches import BatchErrors
from clock.store.jobs.steps import STEP_JOBS, PageSize, in_steps
from clock.store.scripts import run
from clock.store.server.connection import translated
from clock.store.server.shards import every

DELETED = "deleted"  # how the batch of a job calls its end


def remove_waiting(redis: Redis, where: str, members: Sequence[bytes], how: str = DELETED) -> int:
    """Delete jobs from a sorted set; how many were still there. `how`: the end of the job, for its batch."""
    errors = BatchErrors(redis)
    return sum(_remove_waiting(redis, where, step, how, errors)[0] for step in in_steps(members, len))


def clear_waiting(redis: Redis, where: str) -> int:
    """Delete all jobs of `schedule`, `retry` or `dead`, in all shards; how many there were."""
    return sum(_clear_waiting(place, where) for place in every(redis))


def _clear_waiting(redis: Redis, where: str) -> int:
    with translated():
        left = most = int(redis.zcard(where))
    count, errors = 0, BatchErrors(redis)
    while left and count < most:
        removed, left = _remove_waiting(redis, where, (), DELETED, errors)
        count += removed
    return count


def _remove_waiting(
    redis: Redis, where: str, members: Sequence[bytes], how: str, errors: BatchErrors
) -> tuple[int, int]:
    """How many were removed, and how many are left."""
    args: list[bytes | str | int] = [_now_ms(), "" if where == keys.DEAD else how, *members]
    names = [where, *keys.BATCH_KEYS, *keys.LOCK_KEYS]
    removed, left, error = run(redis, "remove_waiting", names, args)
    errors.report(error)
    return int(removed), int(left)


def bury(redis: Redis, where: str, members: Sequence[bytes], now: float) -> int:
    """Move jobs from `schedule` or `retry` to `dead`; how many were still there. `now` is in float seconds."""
    return _move(redis, where, keys.DEAD, members, now, "dead")


def schedule_dead(redis: Redis, members: Sequence[bytes], at: float) -> int:
    """Move dead jobs to `schedule`, due at `at` (float seconds); how many were still there."""
    return _move(redis, keys.DEAD, keys.SCHEDULE, members, at, "living")


def _move(redis: Redis, where: str, target: str, members: Sequence[bytes], score: float, how: str) -> int:
    count, errors = 0, BatchErrors(redis)
    for step in in_steps(members, len):
        args = [score, how, _now_ms(), *step]
        moved, error = run(redis, "bury", [where, target, *keys.BATCH_KEYS], args)
        errors.report(error)
        count += int(moved)
    return count


def remove_queued(redis: Redis, queue: str, payloads: Sequence[bytes], how: str = DELETED) -> int:
    """Delete jobs from a queue; how many were still there. The queue is read once for them all."""
    wanted = Counter(payloads)
    removed = _remove_in_pages(redis, keys.queue(queue), wanted, how)
    if wanted.total():  # workers have taken jobs, so others may have moved from one page to another
        removed += _remove_in_pages(redis, keys.queue(queue), wanted, how)
    return removed


def remove_from_part(redis: Redis, queue: str, first: int, last: int, payloads: Sequence[bytes]) -> int:
    """Delete jobs from the part of a queue between two indexes from its left end; how many were still there."""
    count, errors = 0, BatchErrors(redis)
    for step in in_steps(payloads, len):
        args = [first, last, _now_ms(), DELETED, *step]
        error, *places = run(redis, "remove_from_queue", [keys.queue(queue), *keys.BATCH_KEYS], args)
        errors.report(error)
        count += len(places)
    return count


def _remove_in_pages(redis: Redis, key: str, wanted: Counter[bytes], how: str) -> int:
    """Remove the `wanted` members from a list, from its right end on, and from `wanted`. Returns how many."""
    last, removed, size, errors = -1, 0, PageSize(), BatchErrors(redis)
    while wanted.total():
        first = last - size.jobs + 1
        with translated():
            page: Any = redis.lrange(key, first, last)
        here = list((Counter(page) & wanted).elements())
        places: Any = []
        if here:
            args = [first, last, _now_ms(), how, *here]
            error, *places = run(redis, "remove_from_queue", [key, *keys.BATCH_KEYS], args)
            errors.report(error)
        wanted.subtract(here[place - 1] for place in places)
        removed += len(places)
        if len(page) < last - first + 1:
            return removed
        size.note(page)
        last = first - 1 + len(places)
    return removed


def reschedule(redis: Redis, where: str, members: Sequence[bytes], at: float) -> int:
    """Set the due time of jobs of `schedule` or `retry` to `at` (float seconds).

    Returns how many were still there.
    """
    count = 0
    for step in in_steps(members, len):
        with translated():
            changed: Any = redis.zadd(where, dict.fromkeys(step, at), xx=True, ch=True)
        count += int(changed)
    return count


def clear_queue(redis: Redis, queue: str) -> int:
    """Delete a queue with all its jobs, in all shards; how many it held."""
    return sum(_clear_queue(place, queue) for place in every(redis))


def _clear_queue(redis: Redis, queue: str) -> int:
    with translated():
        most = int(redis.llen(keys.queue(queue)))
    names = [keys.queue(queue), keys.QUEUES, *keys.BATCH_KEYS, *keys.LOCK_KEYS]
    count, errors = 0, BatchErrors(redis)
    while True:
        removed, left, error = run(redis, "clear_queue", names, [queue, _now_ms(), STEP_JOBS])
        errors.report(error)
        count += int(removed)
        if not left or count >= most:
            return count


def _now_ms() -> int:
    return to_ms(SystemClock().now())


def forget_event(redis: Redis, event: str) -> bool:
    """Delete ledger and history of an event that has left the clock file; False: it has come back."""
    own = [prefix + event for prefix in keys.OF_EVENT]
    names = [*keys.LEDGER_ENTRY, keys.LEDGER_ORPHANED, *own, keys.MISSED]
    return bool(run(redis, "forget_event", names, [event]))


def adopt(redis: Redis, identities: Sequence[str]) -> int:
    """Have the jobs in progress of workers that are on no register put back, by any live worker; how many."""
    with translated():
        added: Any = redis.zadd(keys.WORKERS, dict.fromkeys(identities, 0), nx=True) if identities else 0
        return int(added)


def signal(redis: Redis, identity: str, name: str) -> None:
    """Send `TSTP`, `TERM` or `TTIN` to a worker, clock's or Sidekiq's; it takes it with its next beat."""
    for place in every(redis):  # the worker serves one of them; in the others the signal expires
        with translated(), place.pipeline() as pipeline:
            pipeline.lpush(keys.signals(identity), name)
            pipeline.expire(keys.signals(identity), 60)
            pipeline.execute()


def reset_counters(redis: Redis, names: Sequence[str]) -> None:
    """Set `processed` or `failed`, or both, to 0. The counters of days are kept."""
    for place in every(redis):
        with translated():
            place.mset(dict.fromkeys((f"stat:{name}" for name in names), 0))
