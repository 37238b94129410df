"""What a push costs beside a bare LPUSH of the same bytes by redis-py, and beside SADD and LPUSH in a pipeline.

    python benchmarks/perform_async.py [pushes]

All are measured in turn, in many short rounds of one process, on a server that keeps nothing. The figures are the
median of the rounds' ratios, and the ratio of the fastest rounds, which other programs disturb least.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it can be run as a file

from redis import Redis

from benchmarks.workers.running import server
from clock import Job
from clock.job.push.client import BULK_BATCH
from clock.store.server.connection import connect, set_default

ROUNDS = 40
Run = Callable[[int], object]  # does so many pushes

KINDS: dict[str, list[object]] = {
    "an id": [1234567],
    "an id and a word": [1234567, "due_tomorrow"],
    "an id, a word and a dict": [1234567, "due_tomorrow", {"lessons": [1, 2], "by": "mail"}],
}


class SendReminderJob(Job):
    """Takes what the rounds push; it is never run."""

    def perform(self, *things: object) -> None:
        """Nothing."""


def main(pushes: int) -> None:
    """Print the ratios."""
    with server() as bare:
        port = bare.connection_pool.connection_kwargs["port"]
        redis = connect(f"redis://127.0.0.1:{port}/0", max_connections=2, is_application=True)
        set_default(redis)
        print(f"{pushes} pushes a round, {ROUNDS} rounds: median of the ratios, ratio of the fastest rounds")
        for kind, args in KINDS.items():
            ours = partial(push, args)
            report(bare, f"perform_async, {kind}: LPUSH", pushes, bare_pushes(bare, args), ours)
            report(bare, "  SADD and LPUSH in a pipeline", pushes, piped_pushes(bare, args), ours)
        for kind, args in KINDS.items():
            each = BULK_BATCH * 5
            report(bare, f"perform_bulk, {kind}: LPUSH", each, bare_bulk(bare, args), partial(push_bulk, args))
        redis.close()


def report(redis: Redis, name: str, count: int, bare: Run, ours: Run) -> None:
    """Measure both in turn and print how they compare."""
    rounds = [(rate(redis, bare, count), rate(redis, ours, count)) for _ in range(ROUNDS)]
    ratio = median(mine / theirs for theirs, mine in rounds)
    theirs, mine = (max(rates) for rates in zip(*rounds, strict=True))
    print(f"{name:48}{ratio:5.2f} {mine / theirs:5.2f}   bare {theirs:9,.0f}/s   clock {mine:9,.0f}/s", flush=True)


def rate(redis: Redis, run: Run, count: int) -> float:
    """How many a second, into an empty server."""
    redis.flushall()
    begun = perf_counter()
    run(count)
    return count / (perf_counter() - begun)


def push(args: Sequence[object], count: int) -> None:
    """One by one."""
    for _ in range(count):
        SendReminderJob.perform_async(*args)


def push_bulk(args: Sequence[object], count: int) -> None:
    """All by one call."""
    SendReminderJob.perform_bulk([list(args)] * count)


def bare_pushes(redis: Redis, args: Sequence[object]) -> Run:
    """LPUSH of redis-py, with the bytes that `perform_async` sends."""
    [payload] = payloads(redis, args, 1)

    def run(count: int) -> None:
        for _ in range(count):
            redis.lpush("queue:default", payload)

    return run


def piped_pushes(redis: Redis, args: Sequence[object]) -> Run:
    """SADD and LPUSH in a pipeline of redis-py, with the bytes that `perform_async` sends."""
    [payload] = payloads(redis, args, 1)

    def run(count: int) -> None:
        for _ in range(count):
            with redis.pipeline(transaction=False) as pipeline:
                pipeline.sadd("queues", "default")
                pipeline.lpush("queue:default", payload)
                pipeline.execute()

    return run


def bare_bulk(redis: Redis, args: Sequence[object]) -> Run:
    """LPUSH of as many at once as `perform_bulk` sends, with the same bytes."""
    batch = payloads(redis, args, BULK_BATCH)

    def run(count: int) -> None:
        for _ in range(count // BULK_BATCH):
            redis.lpush("queue:default", *batch)

    return run


def payloads(redis: Redis, args: Sequence[object], count: int) -> list[bytes]:
    """The bytes of so many jobs, as they lie in Redis."""
    redis.flushall()
    push_bulk(args, count)
    rows: list[bytes] = list(redis.lrange("queue:default", 0, -1))  # type: ignore[arg-type]  # redis-py's union
    assert len(rows) == count
    return rows


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
