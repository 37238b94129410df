"""APScheduler 4, an alpha in a folder beside its third version, with a cron trigger."""

import json
import os
import sys
from datetime import UTC
from pathlib import Path

from redis import Redis

sys.path.insert(0, str(Path(sys.prefix) / "apscheduler4"))

from apscheduler import Scheduler
from apscheduler.triggers.cron import CronTrigger

redis = Redis.from_url(os.environ["REDIS_URL"])


def push(event: int) -> None:
    """Push a job."""
    redis.lpush("jobs", json.dumps({"event": event}))


with Scheduler() as scheduler:
    for number in range(int(os.environ["EVENTS"])):
        scheduler.add_schedule(push, CronTrigger(second="*", timezone=UTC), args=[number], id=str(number))
    scheduler.run_until_stopped()
