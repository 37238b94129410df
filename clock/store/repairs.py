"""Changing what is in Redis on a person's word; each step is atomic, and does nothing to what has moved on.

Each function raises StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis import Redis

from clock.store import keys
from clock.store.connection import translated
from clock.store.in_progress import DEAD_LIMIT, DEAD_SECONDS
from clock.store.scripts import script


def remove_waiting(redis: Redis, where: str, members: Sequence[bytes]) -> int:
    """Delete jobs from `schedule`, `retry` or `dead`; how many were still there."""
    with translated():
        return int(redis.zrem(where, *members)) if members else 0


def bury(redis: Redis, where: str, members: Sequence[bytes], now: float) -> int:
    """Move jobs from `schedule` or `retry` to `dead`; how many were still there. `now` is in float seconds."""
    with translated():
        return int(
            script(redis, "bury")(keys=[where, keys.DEAD], args=[now, now - DEAD_SECONDS, DEAD_LIMIT, *members])
        )


def remove_queued(redis: Redis, queue: str, payloads: Sequence[bytes]) -> int:
    """Delete jobs from a queue; how many were still there. The queue is gone through once for them all."""
    with translated():
        return int(script(redis, "remove_queued")(keys=[keys.queue(queue)], args=payloads))


def clear_queue(redis: Redis, queue: str) -> int:
    """Delete a queue with all its jobs; how many it held."""
    with translated():
        return int(script(redis, "clear_queue")(keys=[keys.queue(queue), keys.QUEUES], args=[queue]))


def forget_event(redis: Redis, event: str) -> bool:
    """Delete ledger and history of an event that has left the clock file; False: it has come back."""
    hashes = [keys.LEDGER_ANCHOR, keys.LEDGER_DECLARATION, keys.LEDGER_DECIDED, keys.LEDGER_ORPHANED]
    own = [keys.HISTORY + event, keys.OUTCOMES + event, keys.WATCHED + event]
    with translated():
        return bool(script(redis, "forget_event")(keys=[*hashes, *own], args=[event]))


def adopt(redis: Redis, identities: Sequence[str]) -> int:
    """Have the jobs in progress of workers that are on no register put back, by any live worker; how many."""
    with translated():
        added: Any = redis.zadd(keys.WORKERS, dict.fromkeys(identities, 0), nx=True) if identities else 0
        return int(added)


def signal(redis: Redis, identity: str, name: str) -> None:
    """Send `TSTP`, `TERM` or `TTIN` to a worker, ours or Sidekiq's; it takes it with its next beat."""
    with translated(), redis.pipeline() as pipeline:
        pipeline.lpush(keys.signals(identity), name)
        pipeline.expire(keys.signals(identity), 60)
        pipeline.execute()
