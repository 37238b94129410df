"""Opening what a command or the dashboard works with: Redis, and its time."""

from __future__ import annotations

from pathlib import Path

from clock.clocks import SystemClock
from clock.config import Config
from clock.store import Redis as Redis
from clock.store.server.address import masked
from clock.store.server.connection import connect, server_time_offset, with_shards
from clock.store.server.shards import ShardSettings


def connected(config: Config, max_connections: int = 1) -> Redis:
    """The connection that the settings ask for. Raises StoreUnavailable, StoreError, ConfigurationError."""
    redis = connect(
        config.redis,
        source=config.redis_source,
        max_connections=max_connections,
        push_seconds=config.push_timeout,
        namespace=config.namespace,
        durable=config.durable,
    )
    return with_shards(redis, ShardSettings(config.shards, config.redis_urls))


def redis_location(config: Config) -> str:
    """Which server a command looks at, without its password."""
    place = masked(config.redis) if config.redis else f"the embedded Valkey of {Path.cwd()}"
    return f"{place}, namespace {config.namespace}" if config.namespace else place


def redis_clock(redis: Redis) -> SystemClock:
    """This machine's clock, put right by Redis's. Raises StoreUnavailable."""
    return SystemClock(server_time_offset(redis, SystemClock()))
