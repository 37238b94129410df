"""APScheduler 3, its blocking scheduler with a cron trigger."""

import json
import os

from apscheduler.schedulers.blocking import BlockingScheduler
from redis import Redis

redis = Redis.from_url(os.environ["REDIS_URL"])


def push(event: int) -> None:
    """Push a job."""
    redis.lpush("jobs", json.dumps({"event": event}))


scheduler = BlockingScheduler(timezone="UTC")
for number in range(int(os.environ["EVENTS"])):
    scheduler.add_job(push, "cron", [number], second="*")
scheduler.start()
