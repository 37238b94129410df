"""The checks of `clock doctor`: the server's version and settings, the network, the clocks, and leftovers.

Each finding has a grade and a cure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from clock.inspection.doctor import blockers
from clock.inspection.doctor.finding import Finding, Grade, findings_of
from clock.inspection.doctor.replicas import replicas_findings
from clock.inspection.doctor.server_faults import server_faults
from clock.inspection.jobs.batches import open_batches
from clock.inspection.jobs.limits import blocked_finding
from clock.inspection.shards import shard_views, shards_findings, with_shards_that_answer
from clock.printable import shortened_list
from clock.store import Redis, listing, repairs
from clock.store.server.checks.server_version import ServerVersion
from clock.store.server.connection import SKEW_SECONDS, server_time
from clock.store.server.namespace import namespace_of
from clock.store.server.shards import every, names_of, shards_of


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Facts that the server cannot report: its address, this machine's clock, and a worker's connections."""

    url: str
    offset: timedelta
    connections_per_worker: int


def examine(redis: Redis, circumstances: Circumstances) -> list[Finding]:
    """Make all checks. If Redis refuses one, or a shard does not answer, that is a finding, too.

    Raises StoreUnavailable if the home does not answer.
    """
    of_shards = findings_of("shards", lambda: shards_findings(redis))
    redis = with_shards_that_answer(redis, shard_views(redis))
    return [
        *findings_of("server", lambda: _of_server(redis, circumstances)),
        *findings_of("servers of shards", lambda: _of_other_servers(redis, circumstances)),
        _tls(circumstances.url),
        _skew(circumstances.offset),
        *findings_of("permissions", lambda: blockers.permissions(redis)),
        *findings_of("keys", lambda: blockers.wrong_types(redis)),
        *findings_of("processes", lambda: blockers.reported(redis)),
        *findings_of("queues", lambda: blockers.without_worker(redis)),
        *of_shards,
        *findings_of("jobs in progress", lambda: _left_behind(redis)),
        *findings_of("limits", lambda: blocked_finding(redis)),
        *findings_of("batches", lambda: open_batches(redis, server_time(redis))),
        *findings_of("entries", lambda: _broken_entries(redis)),
        *findings_of("ledger", lambda: [_forgotten_events(redis)]),
    ]


def _of_server(redis: Redis, circumstances: Circumstances) -> Iterator[Finding]:
    info = listing.server(redis)
    yield _version(info)
    namespace = namespace_of(redis)
    if namespace:
        yield Finding("namespace", Grade.GOOD, f"{namespace.name}: all keys start with {namespace.prefix}")
    yield from server_faults(info)
    yield _eviction(redis, info)
    yield from _persistence(redis, info)
    yield from replicas_findings(redis, info)
    yield _memory(info)
    yield _connections(info, circumstances.connections_per_worker)


def _of_other_servers(redis: Redis, circumstances: Circumstances) -> Iterator[Finding]:
    """Bad findings and warnings about the servers of other shards."""
    if shards_of(redis) is None:
        return
    seen = {_run_id(redis)}
    for name, place in zip(names_of(redis), every(redis), strict=True):
        run_id = _run_id(place)
        if run_id in seen:
            continue
        seen.add(run_id)
        for finding in findings_of("server", partial(_of_server, place, circumstances)):
            if finding.grade is not Grade.GOOD:
                yield replace(finding, subject=f"{finding.subject} of {name}")


def _run_id(redis: Redis) -> object:
    return listing.server(redis).get("run_id")


def _version(info: Mapping[str, object]) -> Finding:
    found = ServerVersion.of(info)
    if found.needed is not None:
        return Finding("version", Grade.BAD, str(found), f"upgrade to {found.needed} or newer")
    return Finding("version", Grade.GOOD, str(found))


def _eviction(redis: Redis, info: Mapping[str, object]) -> Finding:
    policy = str(info.get("maxmemory_policy") or listing.server_setting(redis, "maxmemory-policy") or "unknown")
    if policy == "noeviction":
        return Finding("eviction", Grade.GOOD, policy)
    return Finding(
        "eviction",
        Grade.BAD,
        f"{policy}: when full, the server deletes keys, including queues and the clock's state",
        "set maxmemory-policy noeviction (CONFIG SET maxmemory-policy noeviction, and in redis.conf)",
    )


def _persistence(redis: Redis, info: Mapping[str, object]) -> Iterator[Finding]:
    if str(info.get("aof_enabled")) == "1":
        fsync = listing.server_setting(redis, "appendfsync") or "unknown"
        if fsync == "no":
            yield Finding(
                "persistence",
                Grade.WARNING,
                "append-only file, appendfsync no: a power cut may lose half a minute",
                "set appendfsync everysec, or always if no job may be lost",
            )
        else:
            lost = "nothing" if fsync == "always" else "a second at most"
            yield Finding(
                "persistence", Grade.GOOD, f"append-only file, appendfsync {fsync}: a crash loses {lost}"
            )
    else:
        save = listing.server_setting(redis, "save")
        yield Finding(
            "persistence",
            Grade.BAD if save == "" else Grade.WARNING,
            "none: a restart loses every job and the clock's state"
            if save == ""
            else "only snapshots: a restart loses everything since the last one",
            "set appendonly yes (CONFIG SET appendonly yes, and in redis.conf)",
        )


def _memory(info: Mapping[str, object]) -> Finding:
    used, limit = int(str(info.get("used_memory", 0))), int(str(info.get("maxmemory", 0)))
    found = f"{used / 2**20:.1f} MB used" + (f" of {limit / 2**20:.0f} MB" if limit else ", no limit set")
    if limit and used > 0.8 * limit:
        return Finding(
            "memory",
            Grade.BAD,
            found,
            "raise maxmemory, or delete unneeded data; at the limit every push fails",
        )
    return Finding("memory", Grade.GOOD, found)


def _tls(url: str) -> Finding:
    scheme = url.partition("://")[0].partition("+")[0]
    if scheme == "unix":
        return Finding("network", Grade.GOOD, "a unix socket: no network traffic")
    if scheme == "rediss" and "ssl_cert_reqs=none" in url:
        return Finding(
            "network",
            Grade.WARNING,
            "TLS, but the server's certificate is not verified",
            "use ?ssl_ca_certs=FILE instead of ssl_cert_reqs=none",
        )
    if scheme == "rediss":
        return Finding("network", Grade.GOOD, "TLS, and the server's certificate is verified")
    if any(host in url for host in ("@localhost", "/localhost", "127.0.0.1", "[::1]")):
        return Finding("network", Grade.GOOD, "this machine's own network")
    return Finding(
        "network",
        Grade.WARNING,
        "no TLS: jobs and password can be read on the network",
        "use rediss://, unless the network is private",
    )


def _skew(offset: timedelta) -> Finding:
    seconds = offset.total_seconds()
    found = f"this machine's clock is {abs(seconds):.3f} s {'behind' if seconds > 0 else 'ahead of'} Redis's"
    if abs(seconds) > SKEW_SECONDS:
        return Finding("clock skew", Grade.WARNING, found, "sync this machine's clock with NTP (timedatectl)")
    return Finding("clock skew", Grade.GOOD, found)


def _connections(info: Mapping[str, object], per_worker: int) -> Finding:
    used, limit = int(str(info.get("connected_clients", 0))), int(str(info.get("maxclients", 10_000)))
    fits = max(0, limit - used) // per_worker
    found = (
        f"{used} of {limit} in use; a worker opens {per_worker} at most, a clock 2: room for {fits} more workers"
    )
    if fits < 2:
        return Finding("connections", Grade.WARNING, found, "raise maxclients, or lower the workers' concurrency")
    return Finding("connections", Grade.GOOD, found)


def _left_behind(redis: Redis) -> Iterator[Finding]:
    lost = lost_workers(redis)
    if lost:
        yield Finding(
            "jobs in progress",
            Grade.BAD,
            f"held by unregistered workers: {', '.join(lost)}",
            "run clock doctor --repair: a live worker puts them back",
        )
    else:
        yield Finding("jobs in progress", Grade.GOOD, "all held by registered workers")
    parked = listing.parked(redis)
    if parked:
        classes = ", ".join(f"{name} ({count})" for name, count in parked.items())
        yield Finding(
            "parked jobs",
            Grade.WARNING,
            f"no worker had their class or key: {classes}",
            "deploy a worker that has these classes and keys; it picks the jobs up by itself",
        )


def _broken_entries(redis: Redis) -> Iterator[Finding]:
    broken = listing.broken_entries(redis)
    if broken:
        yield Finding(
            "ledger",
            Grade.BAD,
            f"a part is missing or invalid in: {shortened_list([*map(repr, broken)])}",
            "find the program that deletes or writes keys clock:ledger:*; the next clock rebuilds these entries",
        )


def _forgotten_events(redis: Redis) -> Finding:
    left = orphans(redis)
    if not left:
        return Finding("ledger", Grade.GOOD, "all its events are in the clock file")
    return Finding(
        "ledger",
        Grade.WARNING,
        f"these events are no longer in the clock file: {', '.join(map(repr, left))}",
        "if intended, do nothing: they are deleted after a week, or now by clock doctor --repair; "
        "an event that returns before then continues from its last run",
    )


def lost_workers(redis: Redis) -> list[str]:
    """The identities of workers that hold jobs and are in no register. Raises StoreUnavailable."""
    return sorted(identity for place in every(redis) for identity in _lost(place))


def _lost(redis: Redis) -> list[str]:
    holding, registered = listing.holders(redis)
    return sorted(holding - registered)


def adopt_jobs(redis: Redis) -> int:
    """Register lost workers, so live workers put their jobs back. Returns how many. Raises StoreUnavailable."""
    return sum(repairs.adopt(place, _lost(place)) for place in every(redis))


def orphans(redis: Redis) -> list[str]:
    """The events that are no longer in the clock file. Raises StoreUnavailable.

    The clock deletes their data a week later. Until then, an event that returns continues as before.
    """
    return sorted(listing.orphaned(redis))


def forget_events(redis: Redis) -> int:
    """Delete the ledger entries and histories of orphans. Returns how many. Raises StoreUnavailable."""
    return sum(repairs.forget_event(redis, event) for event in orphans(redis))
