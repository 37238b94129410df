"""RQ's cron scheduler. A hook tells the observer which event was enqueued, because RQ's list holds ids alone."""

import json
import os
from operator import index
from typing import Any

from redis import Redis
from rq import Queue
from rq.cron import CronScheduler

redis = Redis.from_url(os.environ["REDIS_URL"])
enqueue = Queue.enqueue_call


def enqueue_and_tell(self: Queue, *args: Any, **kwargs: Any) -> Any:
    """Enqueue as RQ does, then tell which event it was."""
    job = enqueue(self, *args, **kwargs)
    redis.lpush("jobs", json.dumps({"event": job.args[0]}))
    return job


Queue.enqueue_call = enqueue_and_tell  # type: ignore[method-assign]  # RQ has no hook


scheduler = CronScheduler(connection=redis)
for number in range(int(os.environ["EVENTS"])):
    scheduler.register(index, "default", args=(number,), interval=1)
scheduler.start()
