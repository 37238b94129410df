"""Problems that stop clocks and workers: missing permissions, wrong keys, queues without a worker, reports."""

from __future__ import annotations

from collections.abc import Iterator

from clock.errors import StoreUnavailable
from clock.inspection.doctor.finding import Finding, Grade
from clock.inspection.processes import clocks, workers
from clock.inspection.processes import reported as reported_problems
from clock.store import Redis
from clock.store.jobs.unserved_queues import unserved
from clock.store.key_types import wrong_keys
from clock.store.server.checks.permissions import check_permissions
from clock.store.server.connection import server_time
from clock.store.server.shards import every


def permissions(redis: Redis) -> Iterator[Finding]:
    """Whether this user may do what clocks and workers do. Raises StoreError if not."""
    try:
        check_permissions(redis)
    except StoreUnavailable:
        return  # the server refuses all writes now, which is a separate finding
    yield Finding("permissions", Grade.GOOD, "this user has all permissions that clocks and workers need")


def wrong_types(redis: Redis) -> Iterator[Finding]:
    """Keys of a wrong type. Raises StoreUnavailable."""
    found = wrong_keys(redis)
    for wrong in found:
        advice = f"another program wrote it: inspect it with redis-cli TYPE {wrong.key}, then rename or delete it"
        yield Finding("keys", Grade.BAD, str(wrong), advice)
    if not found:
        yield Finding("keys", Grade.GOOD, "all keys have the right type")


def reported(redis: Redis) -> Iterator[Finding]:
    """The problems that clocks and workers report, except queues without a worker. Raises StoreUnavailable."""
    now = server_time(redis)
    found = reported_problems(clocks(redis, now), workers(redis, now.timestamp()))
    for problem in found:
        is_bug = problem.cause.startswith("error:")  # the texts of all other problems name the cure
        yield Finding("processes", Grade.BAD, str(problem), "its log has the traceback" if is_bug else "")
    if not found:
        yield Finding("processes", Grade.GOOD, "none reports a problem")


def without_worker(redis: Redis) -> Iterator[Finding]:
    """Queues in which jobs wait and that no worker takes from. Raises StoreUnavailable."""
    if len(every(redis)) > 1:
        return  # the findings of the shards name them
    found = unserved(redis)
    for name, (size, _) in sorted(found.items()):
        advice = f"start a worker for it: clock worker -q {name}"
        yield Finding("queues", Grade.BAD, f"no worker processes {name!r} (jobs waiting: {size})", advice)
    if not found:
        yield Finding("queues", Grade.GOOD, "each queue with jobs has a worker")
