"""Shards: several places that share the jobs of one application, if one Redis server is not enough.

The home has everything: the state of the clock, and each job with a rule. A shard has only plain jobs, with their
retries, their dead and their workers. So each script stays within one place. Callers hold the connection of the
home; its pool knows the shards. A connection without shards is its own only place, at no cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar
from zlib import crc32

from redis import Redis

from clock.clocks import to_ms
from clock.errors import ConfigurationError
from clock.store import keys
from clock.store.server.address import masked

_ATTRIBUTE = "clock_shards"  # of the connection to the home


class InShard(Protocol):
    """A thing that was read in a shard."""

    @property
    def shard(self) -> int:
        """The number of the shard; 0: the home."""
        ...


T = TypeVar("T")
S = TypeVar("S", bound=InShard)
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """How many shards there are with the home: so many namespaces of one server, or these servers."""

    count: int = 1
    urls: tuple[str, ...] = ()


ALONE = ShardSettings()


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a shard: the URL of its server, and its namespace ('': none)."""

    url: str
    namespace: str

    def __str__(self) -> str:
        return f"{masked(self.url)}{f', namespace {self.namespace}' if self.namespace else ''}"


def addresses(home: Address, settings: ShardSettings) -> list[Address]:
    """The addresses of the home and of the shards, the home first. Raises ConfigurationError."""
    url, namespace = home.url, home.namespace
    if settings.urls:
        if url != settings.urls[0]:
            raise ConfigurationError(
                "REDIS_URL is not the first of REDIS_URLS: remove REDIS_URL, or put its server first in REDIS_URLS"
            )
        if settings.count not in (1, len(settings.urls)):
            raise ConfigurationError(
                f"shards is {settings.count}, but REDIS_URLS names {len(settings.urls)} servers: remove shards"
            )
        return [Address(one, namespace) for one in settings.urls]
    if settings.count > 1 and not namespace:
        raise ConfigurationError(
            f"shards is {settings.count}, and shards need a namespace: set CLOCK_NAMESPACE=NAME for all processes"
        )
    return [Address(url, namespace_of_shard(namespace, number)) for number in range(settings.count)]


def namespace_of_shard(home: str, number: int) -> str:
    """The namespace of a shard: `shop-3` for number 3 of `shop`; number 0 is the home."""
    return f"{home}-{number}" if number else home


@dataclass(frozen=True, slots=True)
class Shards:
    """The addresses of the home and of its shards, and the connections to these."""

    addresses: Sequence[Address]
    others: Sequence[Redis]


def join(home: Redis, shards: Shards) -> None:
    """Make a connection that of a home."""
    vars(home)[_ATTRIBUTE] = shards


def shards_of(redis: Redis) -> Shards | None:
    """The shards of a home; None: it is alone, or this is a connection to one place."""
    found: Shards | None = vars(redis).get(_ATTRIBUTE)
    return found


def note(home: Redis, now: datetime) -> None:
    """Note at the home that its shards are in use: the doctor looks at them if they are not any more.

    Raises what the client library does.
    """
    found = shards_of(home)
    if found:
        home.zadd(keys.SHARDS, {str(address): to_ms(now) for address in found.addresses})


def every(redis: Redis) -> Sequence[Redis]:
    """The connections to all places, the home first; the order is that of the shards' numbers."""
    found = shards_of(redis)
    return [redis, *found.others] if found else [redis]


def only(redis: Redis) -> Redis:
    """A connection to the same place that knows no shards."""
    return Redis.from_pool(redis.connection_pool) if shards_of(redis) else redis


def place_of(redis: Redis, jid: str) -> int:
    """The number of the shard to which a plain job with that jid is pushed."""
    return place_by(jid, len(every(redis)))


def place_by(jid: str, count: int) -> int:
    """The number of the shard of that jid, if there are so many."""
    return crc32(jid.encode(errors="surrogateescape")) % count


def likely_first(redis: Redis, jid: str) -> Sequence[Redis]:
    """All places, in the order in which to look for a job: its shard, the home, the others."""
    places = list(every(redis))
    places.insert(0, places.pop(place_of(redis, jid)))
    return places


def by_place(redis: Redis, items: Iterable[S]) -> Iterable[tuple[Redis, list[S]]]:
    """The items of each place, with its connection."""
    places, found = every(redis), dict[int, list[S]]()
    for item in items:
        found.setdefault(item.shard if item.shard < len(places) else 0, []).append(item)
    return [(places[number], some) for number, some in sorted(found.items())]


def added(counts: Iterable[Mapping[K, int]]) -> dict[K, int]:
    """The sums of the counts of several places."""
    sums = Counter[K]()
    for one in counts:
        sums.update(one)
    return sums


def names_of(redis: Redis) -> list[str]:
    """The names of all places for people: their namespaces, or their servers if these differ."""
    shards = shards_of(redis)
    found = shards.addresses if shards else []
    has_servers = len({address.url for address in found}) > 1
    return [masked(address.url) if has_servers else address.namespace for address in found]
