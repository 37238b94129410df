"""Whether the server may lose data: it evicts keys, or has too few replicas for the setting `durable`."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from redis import Redis

from clock.errors import StoreError
from clock.printable import counted
from clock.store import listing
from clock.store.server.sending import durable_of

logger = logging.getLogger("clock.redis")


def warn_of_losses(redis: Redis) -> None:
    """Log a warning if the server may lose data. Raises nothing."""
    try:
        info = listing.server(redis)
    except StoreError:  # without the permission to ask, it does not warn
        return
    policy = info.get("maxmemory_policy")
    if policy not in (None, "noeviction"):
        logger.warning(
            "Redis has maxmemory-policy %s: with a full memory it deletes jobs and the clock's ledger. "
            "Set maxmemory-policy noeviction.",
            policy,
        )
    if found := missing_replicas(info, durable_of(redis)):
        logger.warning("%s. Start replicas, or lower durable.", found)


def missing_replicas(info: Mapping[str, object], durable: int) -> str:
    """The fault if fewer replicas follow than `durable` needs; empty: enough do."""
    found = following(info)
    if found is None or found >= durable:
        return ""
    replicas = counted(found, "replica")
    return f"durable is {durable}, but Redis has {replicas}: pushes fail, and the clock holds its runs"


def following(info: Mapping[str, object]) -> int | None:
    """How many replicas follow the server, from its INFO. None: it does not report it."""
    if "connected_slaves" not in info:
        return None
    replicas = [info.get(f"slave{number}") for number in range(int(str(info["connected_slaves"])))]
    return len([one for one in replicas if not isinstance(one, dict) or one.get("state") == "online"])
