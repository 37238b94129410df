"""The checks of `clock doctor`: the server, the network, the clocks, and leftovers.

Each finding has a grade and a cure. The checks raise StoreUnavailable, and StoreError if Redis refuses them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from clock.errors import StoreUnavailable
from clock.inspection.doctor.finding import Finding, Grade, findings_of
from clock.inspection.doctor.server import server_findings
from clock.inspection.jobs.batches import open_batches
from clock.inspection.jobs.limits import blocked_finding
from clock.inspection.processes import clocks, reported, workers
from clock.inspection.shards import shard_views, shards_findings, with_shards_that_answer
from clock.printable import shortened_list
from clock.store import Redis, listing, repairs
from clock.store.jobs.unserved_queues import unserved
from clock.store.server.checks.permissions import check_permissions
from clock.store.server.connection import SKEW_SECONDS, server_time
from clock.store.server.shards import every, names_of, shards_of
from clock.store.wrong_type import wrong_keys


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
        *findings_of("server", lambda: server_findings(redis, circumstances.connections_per_worker)),
        *findings_of("servers of shards", lambda: _of_other_servers(redis, circumstances)),
        _tls(circumstances.url),
        _skew(circumstances.offset),
        *findings_of("permissions", lambda: _permissions(redis)),
        *findings_of("keys", lambda: _wrong_types(redis)),
        *findings_of("processes", lambda: _reported(redis)),
        *findings_of("queues", lambda: _without_worker(redis)),
        *of_shards,
        *findings_of("jobs in progress", lambda: _left_behind(redis)),
        *findings_of("limits", lambda: blocked_finding(redis)),
        *findings_of("batches", lambda: open_batches(redis, server_time(redis))),
        *findings_of("entries", lambda: _broken_entries(redis)),
        *findings_of("ledger", lambda: [_forgotten_events(redis)]),
    ]


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
        checks = partial(server_findings, place, circumstances.connections_per_worker)
        for finding in findings_of("server", checks):
            if finding.grade is not Grade.GOOD:
                yield replace(finding, subject=f"{finding.subject} of {name}")


def _run_id(redis: Redis) -> object:
    return listing.server(redis).get("run_id")


def _tls(url: str) -> Finding:
    scheme = url.partition("://")[0].partition("+")[0]
    if scheme == "unix":
        return Finding("network", Grade.GOOD, "a unix socket: no network traffic")
    if scheme == "rediss" and "ssl_cert_reqs=none" in url:
        text = "TLS, but the server's certificate is not verified"
        return Finding("network", Grade.WARNING, text, "use ?ssl_ca_certs=FILE instead of ssl_cert_reqs=none")
    if scheme == "rediss":
        return Finding("network", Grade.GOOD, "TLS, and the server's certificate is verified")
    if any(host in url for host in ("@localhost", "/localhost", "127.0.0.1", "[::1]")):
        return Finding("network", Grade.GOOD, "this machine's own network")
    text = "no TLS: jobs and password can be read on the network"
    return Finding("network", Grade.WARNING, text, "use rediss://, unless the network is private")


def _skew(offset: timedelta) -> Finding:
    seconds = offset.total_seconds()
    found = f"this machine's clock is {abs(seconds):.3f} s {'behind' if seconds > 0 else 'ahead of'} Redis's"
    if abs(seconds) > SKEW_SECONDS:
        return Finding("clock skew", Grade.WARNING, found, "sync this machine's clock with NTP (timedatectl)")
    return Finding("clock skew", Grade.GOOD, found)


def _permissions(redis: Redis) -> Iterator[Finding]:
    try:
        check_permissions(redis)
    except StoreUnavailable:
        return  # the server refuses all writes now, which is a separate finding
    yield Finding("permissions", Grade.GOOD, "this user has all permissions that clocks and workers need")


def _wrong_types(redis: Redis) -> Iterator[Finding]:
    found = wrong_keys(redis)
    for wrong in found:
        advice = f"another program wrote it: inspect it with redis-cli TYPE {wrong.key}, then rename or delete it"
        yield Finding("keys", Grade.BAD, str(wrong), advice)
    if not found:
        yield Finding("keys", Grade.GOOD, "all keys have the right type")


def _reported(redis: Redis) -> Iterator[Finding]:
    """The problems that clocks and workers report, except queues without a worker."""
    now = server_time(redis)
    found = reported(clocks(redis, now), workers(redis, now.timestamp()))
    for problem in found:
        is_bug = problem.cause.startswith("error:")  # the texts of all other problems name the cure
        yield Finding("processes", Grade.BAD, str(problem), "its log has the traceback" if is_bug else "")
    if not found:
        yield Finding("processes", Grade.GOOD, "none reports a problem")


def _without_worker(redis: Redis) -> Iterator[Finding]:
    if len(every(redis)) > 1:
        return  # the findings of the shards name them
    found = unserved(redis)
    for name, (size, _) in sorted(found.items()):
        advice = f"start a worker for it: clock worker -q {name}"
        yield Finding("queues", Grade.BAD, f"no worker processes {name!r} (jobs waiting: {size})", advice)
    if not found:
        yield Finding("queues", Grade.GOOD, "each queue with jobs has a worker")


def _left_behind(redis: Redis) -> Iterator[Finding]:
    lost = sorted(identity for place in every(redis) for identity in _lost(place))
    if lost:
        text = f"held by unregistered workers: {', '.join(lost)}"
        advice = "run clock doctor --repair: a live worker puts them back"
        yield Finding("jobs in progress", Grade.BAD, text, advice)
    else:
        yield Finding("jobs in progress", Grade.GOOD, "all held by registered workers")
    parked = listing.parked(redis)
    if parked:
        classes = ", ".join(f"{name} ({count})" for name, count in parked.items())
        advice = "deploy a worker that has these classes and keys; it picks the jobs up by itself"
        yield Finding("parked jobs", Grade.WARNING, f"no worker had their class or key: {classes}", advice)


def _broken_entries(redis: Redis) -> Iterator[Finding]:
    broken = listing.broken_entries(redis)
    if broken:
        text = f"a part is missing or invalid in: {shortened_list([*map(repr, broken)])}"
        advice = (
            "find the program that deletes or writes keys clock:ledger:*; the next clock rebuilds these entries"
        )
        yield Finding("ledger", Grade.BAD, text, advice)


def _forgotten_events(redis: Redis) -> Finding:
    left = sorted(listing.orphaned(redis))
    if not left:
        return Finding("ledger", Grade.GOOD, "all its events are in the clock file")
    text = f"these events are no longer in the clock file: {', '.join(map(repr, left))}"
    advice = (
        "if intended, do nothing: they are deleted after a week, or now by clock doctor --repair; "
        "an event that returns before then continues from its last run"
    )
    return Finding("ledger", Grade.WARNING, text, advice)


def _lost(redis: Redis) -> list[str]:
    holding, registered = listing.holders(redis)
    return sorted(holding - registered)


def adopt_jobs(redis: Redis) -> int:
    """Register lost workers, so live workers put their jobs back. Returns how many. Raises StoreUnavailable."""
    return sum(repairs.adopt(place, _lost(place)) for place in every(redis))


def forget_events(redis: Redis) -> int:
    """Delete the data of events that are no longer in the clock file. Returns how many."""
    return sum(repairs.forget_event(redis, event) for event in sorted(listing.orphaned(redis)))
