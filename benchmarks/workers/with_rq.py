"""RQ: SimpleWorker, which does not fork for each job; results are not kept."""

from __future__ import annotations

import os
from collections.abc import Sequence

from redis import Redis
from rq import Queue, SimpleWorker

from benchmarks.workers import same_jobs
from benchmarks.workers.same_jobs import Call, program

redis = Redis.from_url(os.environ["REDIS_URL"])
queue = Queue(connection=redis)


def push(calls: Sequence[Call]) -> None:
    """Push in pipelines of a thousand."""
    for start in range(0, len(calls), 1000):
        queue.enqueue_many(
            [
                Queue.prepare_data(getattr(same_jobs, name), args, result_ttl=0)
                for name, args in calls[start : start + 1000]
            ]
        )


def work() -> None:
    """Run the worker."""
    SimpleWorker([queue], connection=redis).work(logging_level=os.environ["CLOCK_LOG_LEVEL"].upper())


if __name__ == "__main__":
    program(push, work)
