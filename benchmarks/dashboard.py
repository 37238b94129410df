"""How long each page of the dashboard takes, and what it costs Redis, with very many jobs and events.

    python benchmarks/dashboard.py [--waiting 1000000] [--dead 100000] [--events 10000]

A server of its own is filled, then each page is asked for some times, one after the other. Columns: the median and
the 95th percentile in ms, the bytes sent (compressed), the time of Redis in ms, its slowest command in ms.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import Redis

from clock.clocks import SystemClock
from clock.rehearsal.sources import loads
from clock.store.server import embedded
from clock.store.server.connection import connect
from clock.web import Access, Dashboard, Request, Source

TIMES = 20
BATCH = 10_000
PAGES = (
    *("/", "/?q=event.00042", "/?state=failing", "/timeline", "/event?name=event.00042", "/queues"),
    *(
        "/queue?name=default",
        "/busy",
        "/scheduled",
        "/retries",
        "/dead",
        "/dead?class=ChargeCard",
        "/dead?error=zzz",
    ),
    *("/processes", "/redis", "/audit"),
)


def main() -> None:
    """Fill the server and print a row for each page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--dead", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=10_000)
    sizes = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        redis = connect(embedded.start_or_join(Path(folder)), max_connections=4)
        redis.config_set("appendonly", "no")
        fill(redis, sizes.waiting, sizes.dead, sizes.events)
        measure(redis, sizes.events)


def fill(redis: Redis, waiting: int, dead: int, events: int) -> None:
    """Jobs in a queue, in `dead` and in `retry`, and decisions of events."""
    redis.sadd("queues", "default")
    for jobs in _batches(waiting):
        redis.lpush("queue:default", *jobs)
    for place in ("dead", "retry"):
        for number, jobs in enumerate(_batches(dead)):
            redis.zadd(place, dict.fromkeys(jobs, 1.7e9 + number))
    now = int(datetime.now(UTC).timestamp()) * 1000
    with redis.pipeline(transaction=False) as pipeline:
        for number in range(events):
            for minute in range(60):
                due = now - minute * 60_000
                record = {
                    "decision": "fired",
                    "due": due,
                    "late_ms": 3,
                    "jobs": 1,
                    "jids": ["a" * 24],
                }
                pipeline.xadd(f"clock:history:event.{number:05}", {"entry": json.dumps(record)})
            if number % 200 == 0:
                pipeline.execute()
        pipeline.execute()


def _batches(count: int) -> Iterator[list[str]]:
    for start in range(0, count, BATCH):
        yield [
            json.dumps(
                {
                    "class": "ChargeCardJob" if number % 1000 == 0 else "SendMailJob",
                    "args": [number, "ada@example.org"],
                    "jid": f"{number:024x}",
                    "queue": "default",
                    "enqueued_at": 1.7e9,
                    "error_class": "OSError",
                    "error_message": "down",
                }
            )
            for number in range(start, min(start + BATCH, count))
        ]


def measure(redis: Redis, events: int) -> None:
    """Print the table."""
    file = "from clock import every\nfor n in range(%d): every().day.at('06:00').do(print).named(f'event.{n:05}')"
    source = Source(redis, loads(file % events), SystemClock())
    dashboard, clock = Dashboard(source, access=lambda request: Access.everything("ana")), SystemClock()
    print(f"{'page':32} {'median':>8} {'p95':>8} {'bytes':>8} {'redis':>8} {'slowest':>8}")
    redis.config_set("slowlog-log-slower-than", 0)
    for page in PAGES:
        parts, took, sent = urlsplit(page), [], 0
        redis.config_resetstat()
        redis.slowlog_reset()
        for _ in range(TIMES):
            began = clock.monotonic()
            response = dashboard.handle(Request("GET", parts.path, parts.query, {"accept-encoding": "gzip"}))
            took.append((clock.monotonic() - began) * 1000)
            sent = len(response.body)
            assert response.status == 200, response.body
        took.sort()
        slowest = max((int(entry["duration"]) / 1000 for entry in _commands(redis)), default=0.0)
        cost = sum(one["usec"] for one in redis.info("commandstats").values()) / TIMES / 1000
        print(f"{page:32} {took[TIMES // 2]:8.1f} {took[-2]:8.1f} {sent:8} {cost:8.2f} {slowest:8.2f}")


def _commands(redis: Redis) -> list[dict[str, Any]]:
    ours = (b"SLOWLOG", b"CONFIG", b"INFO")
    return [entry for entry in redis.slowlog_get(128) if not bytes(entry["command"]).startswith(ours)]


if __name__ == "__main__":
    main()
