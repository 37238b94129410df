"""Counting the commands that a test sends to Redis."""

from __future__ import annotations

from typing import Any

from redis import Redis


def calls(redis: Redis, *names: str) -> int:
    """How often these commands ran since `config_resetstat`."""
    stats: Any = redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in names)


def script_calls(redis: Redis) -> int:
    """How many scripts ran since `config_resetstat`. A call that finds the script not loaded does not count."""
    return calls(redis, "evalsha") - calls(redis, "script|load", "script")  # Redis 6.2 counts no subcommands
