"""No scheduler: a loop that wakes at each whole second, and pushes what is due in one command."""

import json
import os
import time

from redis import Redis

redis = Redis.from_url(os.environ["REDIS_URL"])
jobs = [json.dumps({"event": number}) for number in range(int(os.environ["EVENTS"]))]
while True:
    now = time.time()
    time.sleep(int(now) + 1 - now)
    redis.lpush("jobs", *jobs)
