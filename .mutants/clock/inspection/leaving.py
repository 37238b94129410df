"""Empties the shards that are no longer in use, after their number was lowered."""

from __future__ import annotations

from collections.abc import Iterator

from clock.errors import ClockError
from clock.inspection.jobs.jobs import found
from clock.inspection.processes import workers
from clock.inspection.shards import LeftShard
from clock.job.payload import queue_of
from clock.store import Redis, keys, listing
from clock.store.jobs import leaving
from clock.store.server.connection import server_time
from clock.store.server.shards import every, place_of


def empty_shard(home: Redis, left: LeftShard) -> Iterator[int]:
    """Move all jobs of an old shard to the shards in use; yields the number of jobs of each step.

    May be repeated after a crash; a job may then run twice. Raises ClockError while workers serve the shard,
    StoreUnavailable.
    """
    source = left.redis
    if source is None:
        return
    living = [view.identity for view in workers(source, server_time(source).timestamp())]
    if living:
        raise ClockError(f"{left.name} still has workers: {', '.join(living)}. Stop them first")
    places = every(home)

    def target(payload: bytes) -> Redis:
        return places[place_of(home, found(payload).jid)]

    for identity in leaving.holders(source):
        yield from leaving.move_in_progress(source, identity, target)
    for name in listing.queue_names(source):
        yield from leaving.move_queue(source, name, target)
    for job_class in listing.parked(source):
        yield from leaving.move_parked(source, job_class, target, lambda payload: queue_of(found(payload).payload))
    for where in (keys.SCHEDULE, keys.RETRY, keys.DEAD):
        yield from leaving.move_set(source, where, target)
    leaving.move_counters(source, home)
