"""Checks of the Redis server by its INFO and settings: faults, version, persistence, replicas, memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clock.inspection.doctor.finding import Finding, Grade
from clock.printable import counted
from clock.store import Redis, listing
from clock.store.server.checks.losses import following, missing_replicas
from clock.store.server.checks.server_version import ServerVersion
from clock.store.server.namespace import namespace_of
from clock.store.server.sending import durable_of

Info = Mapping[str, object]


def server_findings(redis: Redis, connections_per_worker: int) -> Iterator[Finding]:
    """All checks of a server. Raises StoreUnavailable."""
    info = listing.server(redis)
    yield _version(info)
    namespace = namespace_of(redis)
    if namespace:
        yield Finding("namespace", Grade.GOOD, f"{namespace.name}: all keys start with {namespace.prefix}")
    yield from server_faults(info)
    yield _eviction(redis, info)
    yield _persistence(redis, info)
    yield from replicas_findings(redis, info)
    yield _memory(info)
    yield _connections(info, connections_per_worker)


def server_faults(info: Info) -> Iterator[Finding]:
    """The faults that stop clocks and workers although the server answers. `info` is the server's INFO."""
    if info.get("role") == "slave":
        text = f"this is a replica of {info.get('master_host')}:{info.get('master_port')} and refuses to write"
        yield Finding("replication", Grade.BAD, text, "set REDIS_URL to the primary")
    if str(info.get("loading")) == "1":
        yield Finding("loading", Grade.BAD, "the server is loading its data", "wait until it is ready")
    used, limit = _number(info, "used_memory"), _number(info, "maxmemory")
    if limit and used > limit and info.get("maxmemory_policy") == "noeviction":
        text = f"the memory is full ({used} of {limit} bytes) and the server refuses to write"
        yield Finding("memory", Grade.BAD, text, "free memory, or raise maxmemory")
    if "err" in (info.get("aof_last_write_status"), info.get("rdb_last_bgsave_status")):
        text = "the last write to disk failed, so the server may refuse to write"
        yield Finding("disk", Grade.BAD, text, "look at its log and its disk")
    if str(info.get("min_slaves_good_slaves")) == "0":  # only there if min-replicas-to-write is set
        text = "min-replicas-to-write is set, and no replica follows: the server refuses to write"
        yield Finding("replication", Grade.BAD, text, "start its replicas, or lower min-replicas-to-write")


def _number(info: Info, name: str, otherwise: int = 0) -> int:
    value = str(info.get(name, otherwise))
    return int(value) if value.isdigit() else 0


def _version(info: Info) -> Finding:
    found = ServerVersion.of(info)
    if found.needed is not None:
        return Finding("version", Grade.BAD, str(found), f"upgrade to {found.needed} or newer")
    return Finding("version", Grade.GOOD, str(found))


def _eviction(redis: Redis, info: Info) -> Finding:
    policy = str(info.get("maxmemory_policy") or listing.server_setting(redis, "maxmemory-policy") or "unknown")
    if policy == "noeviction":
        return Finding("eviction", Grade.GOOD, policy)
    text = f"{policy}: when full, the server deletes keys, including queues and the clock's state"
    advice = "set maxmemory-policy noeviction (CONFIG SET maxmemory-policy noeviction, and in redis.conf)"
    return Finding("eviction", Grade.BAD, text, advice)


def _persistence(redis: Redis, info: Info) -> Finding:
    if str(info.get("aof_enabled")) == "1":
        fsync = listing.server_setting(redis, "appendfsync") or "unknown"
        if fsync == "no":
            text = "append-only file, appendfsync no: a power cut may lose half a minute"
            advice = "set appendfsync everysec, or always if no job may be lost"
            return Finding("persistence", Grade.WARNING, text, advice)
        lost = "nothing" if fsync == "always" else "a second at most"
        text = f"append-only file, appendfsync {fsync}: a crash loses {lost}"
        return Finding("persistence", Grade.GOOD, text)
    advice = "set appendonly yes (CONFIG SET appendonly yes, and in redis.conf)"
    if listing.server_setting(redis, "save") == "":
        text = "none: a restart loses every job and the clock's state"
        return Finding("persistence", Grade.BAD, text, advice)
    text = "only snapshots: a restart loses everything since the last one"
    return Finding("persistence", Grade.WARNING, text, advice)


def replicas_findings(redis: Redis, info: Info) -> Iterator[Finding]:
    """Whether the server has enough replicas for `durable` and for its own `min-replicas-to-write`."""
    good = str(info.get("min_slaves_good_slaves", ""))  # only there if min-replicas-to-write is set
    needed = listing.server_setting(redis, "min-replicas-to-write") if good.isdigit() else None
    if needed and 0 < int(good) < int(needed):  # 0: one of the server's faults
        replicas = counted(int(good), "replica")
        text = f"min-replicas-to-write is {needed}, and Redis has {replicas}: it refuses writes"
        yield Finding("replication", Grade.BAD, text, "start its replicas, or lower min-replicas-to-write")
    durable, found = durable_of(redis), following(info)
    if not durable or found is None:
        return
    replicas = counted(found, "replica")
    if missing := missing_replicas(info, durable):
        yield Finding("durable", Grade.BAD, missing, "start replicas, or lower durable")
    elif found == durable:
        text = (
            f"durable is {durable}, and Redis has {replicas}: while one restarts, pushes fail "
            "and the clock holds its runs"
        )
        yield Finding("durable", Grade.WARNING, text, "have one replica more than durable")
    else:
        yield Finding("durable", Grade.GOOD, f"{durable}, and Redis has {replicas}")
    if str(info.get("aof_enabled")) == "0":
        text = (
            "no append-only file: a primary that restarts with older data makes its replicas drop what they have"
        )
        yield Finding("durable", Grade.WARNING, text, "set appendonly yes on the primary and on all replicas")


def _memory(info: Info) -> Finding:
    used, limit = _number(info, "used_memory"), _number(info, "maxmemory")
    found = f"{used / 2**20:.1f} MB used" + (f" of {limit / 2**20:.0f} MB" if limit else ", no limit set")
    if limit and used > 0.8 * limit:
        advice = "raise maxmemory, or delete unneeded data; at the limit every push fails"
        return Finding("memory", Grade.BAD, found, advice)
    return Finding("memory", Grade.GOOD, found)


def _connections(info: Info, per_worker: int) -> Finding:
    used, limit = _number(info, "connected_clients"), _number(info, "maxclients", 10_000)
    fits = max(0, limit - used) // per_worker
    found = (
        f"{used} of {limit} in use; a worker opens {per_worker} at most, a clock 2: room for {fits} more workers"
    )
    if fits < 2:
        return Finding("connections", Grade.WARNING, found, "raise maxclients, or lower the workers' concurrency")
    return Finding("connections", Grade.GOOD, found)
