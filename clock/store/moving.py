"""Moving the data of an application to a namespace, on the same server, key by key.

It can be repeated: a second run moves jobs that were pushed during the first, or keys that a crash left. Each
function takes a connection without a namespace, and raises StoreUnavailable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from redis import Redis

from clock.store import keys
from clock.store.jobs.steps import STEP_JOBS
from clock.store.scripts import run
from clock.store.server.connection import translated
from clock.store.server.namespace import Namespace

_NAMES = frozenset(
    (keys.QUEUES, keys.SCHEDULE, keys.RETRY, keys.DEAD, keys.PAUSED_QUEUES, keys.PROCESSES, "process_cleanup")
)
_DEPLOY_MARKS = re.compile(r"\d{8}-marks")  # see `keys.deploy_marks`
_PREFIXES = ("clock:", keys.QUEUE, "stat:", keys.JOB_METRICS, keys.JOB_HISTOGRAM, keys.ITERATION)


def own_keys(redis: Redis, namespace: str | None) -> Iterator[str]:
    """The application's keys in a namespace, without the prefix; None: Sidekiq's and clock's own keys."""
    prefix = Namespace(namespace).prefix if namespace else ""
    with translated():
        for raw in redis.scan_iter(match=f"{prefix}*", count=1000):
            name = raw.decode(errors="surrogateescape").removeprefix(prefix)
            if namespace or name in _NAMES or name.startswith(_PREFIXES) or _DEPLOY_MARKS.fullmatch(name):
                yield name


def move_key(redis: Redis, name: str, *, source: str | None, target: str) -> bool:
    """Move a key between namespaces, in short steps. False: the key exists in both, and they cannot be joined."""
    names = [
        ((Namespace(space).prefix if space else "") + name).encode(errors="surrogateescape")
        for space in (source, target)
    ]
    left = 1
    while left > 0:
        left = int(run(redis, "move_key", names, [STEP_JOBS]))
    return left == 0
