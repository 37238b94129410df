"""What dead workers leave: their jobs go back to the front of their queues.

A worker is dead when its heartbeat has expired. Any live worker looks, with each beat. A job
with which a worker died is tried again as it is, up to `DEATHS`: then it is taken for what kills workers, and
goes to `dead`. The first death is laid to every job that the worker held; from then on those are noted before
they run, so that the innocent are not blamed again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from clock.clocks import Clock, to_ms
from clock.errors import StoreError, StoreUnavailable
from clock.job import registry
from clock.job.payload import decode, encode_again, queue_of, seconds
from clock.store import Redis
from clock.store.delayed import BATCH, Delayed
from clock.store.in_progress import Claimed, InProgress, Move
from clock.store.processes import Processes
from clock.worker.processor import UnreadablePayload, parse
from clock.worker.retry import noted

DEATHS = 3

logger = logging.getLogger(__name__)


class WorkerKilled(Exception):
    """The worker died while this job ran."""


def recover(redis: Redis, *, clock: Clock, own: str = "") -> int:
    """Put the jobs of dead workers back; how many. Raises StoreUnavailable.

    `own` is the identity of who asks, which lives, though it may have been stopped since its heartbeat.
    """
    now_ms = to_ms(clock.now())
    processes = Processes(redis)
    count = 0
    for identity in processes.expired(now_ms):
        if identity == own:
            continue
        left = InProgress(redis, identity)
        try:
            moved = left.put_back(_moves(left.all(), left.marked(), seconds(clock.now())), if_dead_at_ms=now_ms)
        except StoreUnavailable:
            raise
        except StoreError as error:  # a queue that is no list: other workers' jobs must not wait for it
            logger.error("Jobs of the dead worker %s cannot be put back: %s", identity, error)
            continue
        if processes.forget(identity, now_ms) or moved:
            logger.warning("Worker %s is dead; %d jobs of it were put back", identity, moved)
        count += moved
    return count


def unpark(delayed: Delayed) -> int:
    """Release parked jobs whose class is known here; how many. Raises StoreUnavailable."""
    count = 0
    for name in delayed.parked_classes():
        while registry.knows(name):
            payloads = delayed.parked(name)
            count += delayed.unpark(name, [(payload, queue_of(decode(payload))) for payload in payloads])
            if len(payloads) < BATCH:
                break
    return count


def _moves(jobs: list[Claimed], marked: set[int], now: float) -> Iterator[Move]:
    """Where each job goes; the oldest last, so that it is taken first."""
    for job in reversed(jobs):
        try:
            payload = parse(job.payload)
        except UnreadablePayload:
            yield Move(job, "queue", job.queue, job.payload)
            continue
        deaths = payload.get("worker_killed", 0)
        if not isinstance(deaths, int):
            deaths = 0
        if deaths == 0 or job.number in marked:
            payload["worker_killed"] = deaths = deaths + 1
        if deaths >= DEATHS:
            error = WorkerKilled(f"{deaths} workers died while this job ran")
            logger.error("%s %s goes to dead: %s", payload["class"], payload.get("jid"), error)
            del payload["worker_killed"]  # who has it tried again means it: it gets its chances anew
            yield Move(job, "dead", now, encode_again(noted(payload, error, now=now)))
        else:
            yield Move(job, "queue", job.queue, encode_again(payload))
