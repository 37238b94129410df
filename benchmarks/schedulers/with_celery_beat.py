"""Celery's beat, which pushes to the list `celery`."""

import os

from celery import Celery

url = os.environ["REDIS_URL"].replace("unix://", "redis+socket://")
app = Celery("bench", broker=url)
app.conf.beat_schedule = {
    f"event.{number}": {"task": "count", "schedule": 1.0, "args": (number,)}
    for number in range(int(os.environ["EVENTS"]))
}
app.conf.beat_schedule_filename = "beat"
app.Beat(loglevel="ERROR").run()
