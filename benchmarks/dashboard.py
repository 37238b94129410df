"""How long each page of the dashboard takes, and what it costs Redis, with very many jobs and events.

    python benchmarks/dashboard.py [--waiting 1000000] [--dead 100000] [--events 10000] [--workers 1000]

A server of its own is filled, then each page is asked for some times, one after the other. Columns: the median and
the 95th percentile in ms, the processor time of this process per page in ms, the bytes sent (compressed), the time
of Redis per page in ms, its slowest command in ms. On a busy machine the processor time says more than the others.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import Redis

from clock.clocks import SystemClock
from clock.rehearsal.sources import loads
from clock.store import keys
from clock.store.server import embedded
from clock.store.server.connection import connect
from clock.timetable import Timetable
from clock.web import Access, Dashboard, Request, Source

TIMES = 20
BATCH = 10_000
EVENTS_AT_ONCE = 200
DECISIONS = 60  # of each of the first events by name; the others have one
WHOLE_EVENTS = 1_000
PAGES = (
    *("/", "/?q=event.00042", "/?state=failing", "/?state=missed", "/?order=next", "/timeline"),
    *("/timeline?day=2026-03-29", "/event?name=event.00042", "/why?name=event.00042&at=2026-03-29", "/queues"),
    *("/queue?name=default", "/queue?name=default&cursor=:90000:64", "/busy", "/scheduled", "/retries", "/dead"),
    *("/dead?class=ChargeCard", "/dead?error=zzz", "/dead?error=zzz%C3%A9", "/dead?args=ada", "/processes"),
    *("/redis", "/audit", "/changes", "/metrics", "/metrics?span=24h", "/heat", "/go?q=42"),
)
FILE = "from clock import every\nfor n in range(%d): every().day.at('06:00').do(print).named(f'event.{n:05}')"
PAYLOAD = (
    '{"class":"%s","args":[%d,"ada@example.org"],"jid":"%024x","queue":"default","enqueued_at":1.7e9,'
    '"created_at":1.7e9,"retry":true,"retry_count":3,"failed_at":1.7e9,"error_class":"OSError",'
    '"error_message":"the mail server mail.example.org did not answer within 30 s"}'
)


def main() -> None:
    """Fill the server and print a row for each page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--dead", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1_000)
    sizes = parser.parse_args()
    timetable = loads(FILE % sizes.events)
    with tempfile.TemporaryDirectory() as folder:
        redis = connect(embedded.start_or_join(Path(folder)), max_connections=4)
        redis.config_set("appendonly", "no")
        fill(redis, sizes.waiting, sizes.dead)
        fill_events(redis, timetable)
        fill_workers(redis, sizes.workers)
        measure(redis, timetable)


def fill(redis: Redis, waiting: int, dead: int) -> None:
    """Jobs in a queue, and in `dead`, `retry` and `schedule`."""
    redis.sadd("queues", "default")
    for jobs in _batches(waiting):
        redis.lpush("queue:default", *jobs)
    for place in ("dead", "retry", "schedule"):
        for number, jobs in enumerate(_batches(dead)):
            redis.zadd(place, {job: 1.7e9 + number + rank / 1000 for rank, job in enumerate(jobs)})


def fill_events(redis: Redis, timetable: Timetable) -> None:
    """Events in the ledger, each with decisions by the minute; one in a hundred fails."""
    now = int(datetime.now(UTC).timestamp()) * 1000
    with redis.pipeline(transaction=False) as pipeline:
        for number, event in enumerate(timetable.events):
            for key, value in (
                (keys.LEDGER_ANCHOR, now - 86_400_000),
                (keys.LEDGER_DECIDED, now),
                (keys.LEDGER_DECLARATION, event.declaration),
            ):
                pipeline.hset(key, event.name, value)
            for minute in range(DECISIONS if number < WHOLE_EVENTS else 1, 0, -1):
                due = now - minute * 60_000
                decision = "error" if number % 100 == 0 and minute == 1 else "fired"
                record = {"decision": decision, "due": due, "late_ms": minute * 7, "jobs": 1, "jids": ["a" * 24]}
                pipeline.xadd(
                    keys.HISTORY + event.name, {"entry": json.dumps({**record, "host": "web-1", "release": "v42"})}
                )
            if number % EVENTS_AT_ONCE == 0:
                pipeline.execute()
        pipeline.execute()


def fill_workers(redis: Redis, workers: int) -> None:
    """Workers that live, each with a running job."""
    now = datetime.now(UTC).timestamp()
    with redis.pipeline(transaction=False) as pipeline:
        for number in range(workers):
            name = f"worker-{number}:1:abcdef"
            info = {"hostname": f"worker-{number}", "concurrency": 10, "queues": ["default"], "started_at": now}
            pipeline.sadd(keys.PROCESSES, name)
            pipeline.hset(name, mapping={"info": json.dumps(info), "busy": 1, "beat": now, "rss": 90_000})
            report = {"queue": "default", "payload": PAYLOAD % ("SendMailJob", number, number), "run_at": int(now)}
            pipeline.hset(keys.work(name), "t1", json.dumps(report))
        pipeline.execute()


def _batches(count: int) -> Iterator[list[str]]:
    for start in range(0, count, BATCH):
        yield [
            PAYLOAD % ("ChargeCardJob" if number % 1000 == 0 else "SendMailJob", number, number)
            for number in range(start, min(start + BATCH, count))
        ]


def measure(redis: Redis, timetable: Timetable) -> None:
    """Print the table."""
    clock = SystemClock()
    dashboard = Dashboard(Source(redis, timetable, clock), access=lambda request: Access.everything("ana"))
    print(f"{'page':36} {'median':>7} {'p95':>7} {'cpu':>7} {'bytes':>7} {'redis':>7} {'slowest':>7}")
    redis.config_set("slowlog-log-slower-than", 0)
    for page in PAGES:
        parts, took, sent = urlsplit(page), [], 0
        redis.config_resetstat()
        redis.slowlog_reset()
        worked = time.process_time()
        for _ in range(TIMES):
            began = clock.monotonic()
            response = dashboard.handle(Request("GET", parts.path, parts.query, {"accept-encoding": "gzip"}))
            took.append((clock.monotonic() - began) * 1000)
            sent = len(response.body)
            assert response.status == 200, response.body
        cpu = (time.process_time() - worked) * 1000 / TIMES
        took.sort()
        slowest = max((int(entry["duration"]) / 1000 for entry in _commands(redis)), default=0.0)
        cost = sum(one["usec"] for one in redis.info("commandstats").values()) / TIMES / 1000
        print(f"{page:36} {took[TIMES // 2]:7.1f} {took[-2]:7.1f} {cpu:7.1f} {sent:7} {cost:7.2f} {slowest:7.2f}")


def _commands(redis: Redis) -> list[dict[str, Any]]:
    ours = (b"SLOWLOG", b"CONFIG", b"INFO")
    return [entry for entry in redis.slowlog_get(128) if not bytes(entry["command"]).startswith(ours)]


if __name__ == "__main__":
    main()
