"""Whether enough replicas follow the server for the setting `durable`."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from redis import Redis

from clock.errors import StoreError
from clock.printable import counted
from clock.store import listing
from clock.store.server.durable import durable_of

logger = logging.getLogger("clock.redis")


def following(info: Mapping[str, object]) -> int | None:
    """How many replicas follow the server, from its INFO. None: it does not report it."""
    if "connected_slaves" not in info:
        return None
    replicas = [info.get(f"slave{number}") for number in range(int(str(info["connected_slaves"])))]
    return len([one for one in replicas if not isinstance(one, dict) or one.get("state") == "online"])


def missing_replicas(info: Mapping[str, object], durable: int) -> str:
    """The fault if fewer replicas follow than `durable` needs; empty: enough do."""
    found = following(info)
    if found is None or found >= durable:
        return ""
    replicas = counted(found, "replica")
    return f"durable is {durable}, but Redis has {replicas}: pushes fail, and the clock holds its runs"


def warn_of_replicas(redis: Redis) -> None:
    """Log a warning if `durable` needs more replicas than there are. Raises nothing."""
    durable = durable_of(redis)
    if not durable:
        return
    try:
        found = missing_replicas(listing.server(redis), durable)
    except StoreError:  # without the permission to ask, it does not warn
        return
    if found:
        logger.warning("%s. Start replicas, or lower durable.", found)
