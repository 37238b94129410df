"""Checks of the server's replicas: enough for `durable`, and for the server's own `min-replicas-to-write`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clock.inspection.doctor.finding import Finding, Grade
from clock.printable import counted
from clock.store import Redis, listing
from clock.store.server.checks.losses import following, missing_replicas
from clock.store.server.durable import durable_of


def replicas_findings(redis: Redis, info: Mapping[str, object]) -> Iterator[Finding]:
    """Whether the server has enough replicas; `info` is its INFO. Raises StoreUnavailable."""
    yield from _needed_to_write(redis, info)
    durable, found = durable_of(redis), following(info)
    if not durable or found is None:
        return
    if missing := missing_replicas(info, durable):
        yield Finding("durable", Grade.BAD, missing, "start replicas, or lower durable")
    elif found == durable:
        yield Finding(
            "durable",
            Grade.WARNING,
            f"durable is {durable}, and Redis has {counted(found, 'replica')}: while one restarts, pushes fail "
            "and the clock holds its runs",
            "have one replica more than durable",
        )
    else:
        yield Finding("durable", Grade.GOOD, f"{durable}, and Redis has {counted(found, 'replica')}")
    if str(info.get("aof_enabled")) == "0":
        yield Finding(
            "durable",
            Grade.WARNING,
            "no append-only file: a primary that restarts with older data makes its replicas drop what they have",
            "set appendonly yes on the primary and on all replicas",
        )


def _needed_to_write(redis: Redis, info: Mapping[str, object]) -> Iterator[Finding]:
    good = str(info.get("min_slaves_good_slaves", ""))  # only there if min-replicas-to-write is set
    needed = listing.server_setting(redis, "min-replicas-to-write") if good.isdigit() else None
    if needed and 0 < int(good) < int(needed):  # 0: one of the server's faults
        yield Finding(
            "replication",
            Grade.BAD,
            f"min-replicas-to-write is {needed}, and Redis has {counted(int(good), 'replica')}: it refuses writes",
            "start its replicas, or lower min-replicas-to-write",
        )
