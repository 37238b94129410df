"""The `schedule` package, in the loop that its documentation shows."""

import json
import os
import time

import schedule
from redis import Redis

redis = Redis.from_url(os.environ["REDIS_URL"])


def push(event: int) -> None:
    """Push a job."""
    redis.lpush("jobs", json.dumps({"event": event}))


for number in range(int(os.environ["EVENTS"])):
    schedule.every(1).seconds.do(push, number)
while True:
    schedule.run_pending()
    time.sleep(max(0.0, schedule.idle_seconds() or 0.0))
