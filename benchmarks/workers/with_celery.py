"""Celery: one thread for jobs that only compute, a pool for those that wait; prefetching as its guide advises."""

from __future__ import annotations

import os
from collections.abc import Sequence

from celery import Celery

from benchmarks.workers import same_jobs
from benchmarks.workers.same_jobs import Call, best_threads, program

app = Celery(broker=os.environ["REDIS_URL"])
app.conf.update(
    task_ignore_result=True,
    worker_disable_rate_limits=True,
    worker_prefetch_multiplier=64,
    worker_send_task_events=False,
)
TASKS = {
    name: app.task(getattr(same_jobs, name), name=f"same_jobs.{name}")
    for name in ("mark", "nothing", "nap", "stamp")
}


def push(calls: Sequence[Call]) -> None:
    """Push one by one over one connection."""
    with app.producer_pool.acquire() as producer:
        for name, args in calls:
            TASKS[name].apply_async(args, producer=producer)


def work() -> None:
    """Run the worker."""
    threads = best_threads()
    words = ["worker", "-P", "solo" if threads == 1 else "threads", "-c", str(threads)]
    words += ["-l", os.environ["CLOCK_LOG_LEVEL"], "--without-gossip", "--without-mingle", "--without-heartbeat"]
    app.worker_main(words)


if __name__ == "__main__":
    program(push, work)
