"""The shards of an application: what waits in each, whether it has workers, and what old ones still hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from clock.config.setting_types import MOST_SHARDS
from clock.errors import StoreError
from clock.inspection.doctor.finding import Finding, Grade
from clock.inspection.processes import workers
from clock.store import Redis, listing
from clock.store.jobs.shard_claims import noted_shards
from clock.store.jobs.unserved_queues import unserved
from clock.store.server.connection import opened_at, opening_of, server_time, translated
from clock.store.server.shards import (
    Address,
    Shards,
    every,
    join,
    names_of,
    namespace_of_shard,
    only,
    shards_of,
)


@dataclass(frozen=True, slots=True)
class ShardView:
    """A shard: how many jobs wait in its queues, its sets, and its workers.

    `unserved` are its queues with jobs that none of its workers processes, and how many jobs each holds. `fault`
    is why it could not be read; empty: it could.
    """

    name: str
    waiting: int = 0
    scheduled: int = 0
    retries: int = 0
    dead: int = 0
    workers: int = 0
    unserved: Mapping[str, int] = field(default_factory=dict)
    fault: str = ""

    @property
    def problems(self) -> list[str]:
        """Its problems, in words; empty: it works."""
        if self.fault:
            return [f"the shard {self.name} cannot be read: {self.fault}"]
        if not self.workers:
            due = f" (jobs waiting: {self.waiting})" if self.waiting else ""
            return [f"the shard {self.name} has no worker{due}; there must be as many worker processes as shards"]
        return [
            f"no worker of the shard {self.name} processes the queue {queue!r} (jobs waiting: {size})"
            for queue, size in self.unserved.items()
        ]


def shard_views(redis: Redis) -> list[ShardView]:
    """The home and its shards; empty without shards. Raises StoreError if the home refuses or does not answer."""
    if shards_of(redis) is None:
        return []
    named = zip(names_of(redis), every(redis), strict=True)
    return [_view(name, only(place), is_home=place is redis) for name, place in named]


def with_shards_that_answer(redis: Redis, views: Sequence[ShardView]) -> Redis:
    """A connection to the home with only the shards that answered."""
    shards = shards_of(redis)
    if shards is None or not any(view.fault for view in views):
        return redis
    home = only(redis)
    answering = [number for number, view in enumerate(views) if not view.fault]
    addresses = [shards.addresses[number] for number in answering]
    join(home, Shards(addresses, [shards.others[number - 1] for number in answering[1:]]))
    return home


def _view(name: str, redis: Redis, *, is_home: bool) -> ShardView:
    try:
        sizes = listing.sizes(redis)
        ends = listing.queue_ends(redis, listing.queue_names(redis))
        living = workers(redis, server_time(redis).timestamp())
        left = {name: size for name, (size, _) in sorted(unserved(redis).items())}
    except StoreError as error:  # also a server that refuses the user or the password
        if is_home:
            raise
        return ShardView(name, fault=str(error))
    waiting = sum(end[0] for end in ends if end)
    return ShardView(name, waiting, sizes.schedule, sizes.retry, sizes.dead, len(living), left)


@dataclass(frozen=True, slots=True)
class LeftShard:
    """A shard that is no longer in use. `redis` is None if its server is not one of those in use.

    `jobs` is how many jobs it still holds, in queues, sets, parked and in progress.
    """

    name: str
    redis: Redis | None = None
    jobs: int = 0


def left_shards(redis: Redis) -> list[LeftShard]:
    """The shards that were in use before and are not now. Raises StoreUnavailable."""
    noted = noted_shards(redis)
    if not noted:
        return []
    home, shards = opening_of(redis).address, shards_of(redis)
    in_use = {str(address) for address in (shards.addresses if shards else [home])}
    numbers = range(MOST_SHARDS if home.namespace else 1)
    known = [Address(home.url, namespace_of_shard(home.namespace, number)) for number in numbers]
    by_name = {str(address): address for address in known}
    return [_left(redis, name, by_name.get(name)) for name in sorted(noted) if name not in in_use]


def _left(redis: Redis, name: str, address: Address | None) -> LeftShard:
    if address is None:
        return LeftShard(name)
    place = opened_at(redis, address)
    sizes = listing.sizes(place)
    ends = listing.queue_ends(place, listing.queue_names(place))
    held = listing.in_progress_sizes(place)
    waiting = sum(end[0] for end in ends if end) + sum(listing.parked(place).values())
    jobs = waiting + sizes.schedule + sizes.retry + sizes.dead + sum(held.values())
    return LeftShard(name, place, jobs)


def shards_findings(redis: Redis) -> Iterator[Finding]:
    """Whether each shard can be read and has workers, and what old shards hold. Raises StoreUnavailable."""
    views = shard_views(redis)
    problems = [problem for view in views for problem in view.problems]
    for problem in problems:
        yield Finding("shards", Grade.BAD, problem, "compare processes and shards: clock status")
    if views and not problems:
        yield Finding("shards", Grade.GOOD, f"{len(views)}, each with a worker")
    yield from _of_equal(redis, views)
    yield from _of_left(left_shards(redis))


def _of_equal(redis: Redis, views: Sequence[ShardView]) -> Iterator[Finding]:
    """Shards that are one place under two names: its jobs are counted twice."""
    found: dict[object, str] = {}
    shards = shards_of(redis)
    addresses = shards.addresses if shards else ()
    for view, place, address in zip(views, every(redis), addresses, strict=False):
        if view.fault:
            continue
        with translated():
            run_id = place.info("server").get("run_id")
        key = (run_id, place.connection_pool.connection_kwargs.get("db", 0), address.namespace)
        if run_id and key in found:
            text = f"{view.name} and {found[key]} are the same database of one server, and its jobs count twice"
            yield Finding("shards", Grade.BAD, text, "remove one of them from REDIS_URLS")
        found[key] = view.name


def _of_left(found: Sequence[LeftShard]) -> Iterator[Finding]:
    for left in found:
        if left.redis is None:
            advice = (
                "add it to REDIS_URLS again, move its jobs, then remove it; or clock move --from-shards --forget"
            )
            yield Finding("shards", Grade.WARNING, f"{left.name} was a shard; its server is not in use", advice)
        elif left.jobs:
            advice = "no worker runs them; move them: clock move --from-shards"
            yield Finding("shards", Grade.BAD, f"{left.name} was a shard and still holds {left.jobs} jobs", advice)
