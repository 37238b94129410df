"""Moving the data of a stopped application to a namespace, and the jobs of old shards to those in use."""

from __future__ import annotations

from collections.abc import Iterator

from clock.errors import ClockError
from clock.inspection.jobs.jobs import found
from clock.inspection.processes import clocks, workers
from clock.inspection.shards import LeftShard
from clock.job.payload import queue_of
from clock.store import Redis, keys, listing
from clock.store.jobs import leaving
from clock.store.server.connection import server_time
from clock.store.server.shards import every, place_of


def check_stopped(redis: Redis) -> None:
    """Raise ClockError if clocks or workers run on this connection, Sidekiq's as well."""
    now = server_time(redis)
    running = [clock.identity for clock in clocks(redis, now)]
    running += [worker.identity for worker in workers(redis, now.timestamp())]
    if running:
        raise ClockError(
            f"the application runs: {', '.join(running)}. Stop its clocks, workers and web processes first; "
            "a killed process counts for up to a minute"
        )


def empty_shard(home: Redis, left: LeftShard) -> Iterator[int]:
    """Move all jobs of an old shard to the shards in use; yields the number of jobs of each step.

    May be repeated after a crash; a job may then run twice. Raises ClockError while workers serve the shard,
    StoreUnavailable.
    """
    source = left.redis
    assert source is not None  # noqa: S101  # a shard with jobs has been counted, so it can be reached
    living = [view.identity for view in workers(source, server_time(source).timestamp())]
    if living:
        raise ClockError(f"{left.name} still has workers: {', '.join(living)}. Stop them first")
    places = every(home)

    def target(payload: bytes) -> Redis:
        return places[place_of(home, found(payload).jid)]

    for identity in listing.in_progress_sizes(source):
        yield from leaving.move_in_progress(source, identity, target)
    for name in listing.queue_names(source):
        yield from leaving.move_queue(source, name, target)
    for job_class in listing.parked(source):
        yield from leaving.move_parked(source, job_class, target, lambda payload: queue_of(found(payload).payload))
    for where in (keys.SCHEDULE, keys.RETRY, keys.DEAD):
        yield from leaving.move_set(source, where, target)
    leaving.move_counters(source, home)
