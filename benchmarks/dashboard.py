"""How long each page of the dashboard takes, and what it costs Redis, with very many jobs and events.

    python -m benchmarks.dashboard [--waiting 1000000] [--dead 100000] [--events 10000] [--workers 1000] [--write]

A server of its own is filled by scripts, then each page is requested some times, one after the other. Columns:
the median and the 95th percentile in ms, the processor time of this process per page in ms, the bytes sent
(compressed), the commands, the time of Redis per page in ms, its slowest command in ms. On a busy machine the
processor time says more than the others. `--write` replaces the table of docs/dashboard.md.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import Redis

from clock.clocks import SystemClock
from clock.rehearsal.sources import loads
from clock.store import keys
from clock.store.server.connection import connect
from clock.store.server.embedded import embedded
from clock.timetable import Timetable
from clock.web import Access, Dashboard, Request, Source

TIMES = 20
READING_SECONDS = 60.0  # at most, for the first reading of all events, which later visits do not wait for
BATCH = 20_000  # jobs that one run of the script adds
OURS = ("cmdstat_config|resetstat", "cmdstat_slowlog|get", "cmdstat_slowlog|reset")
EVENTS_AT_ONCE = 200
DECISIONS = 60  # of each of the first events by name; the others have one
WHOLE_EVENTS = 1_000
PAGES = (
    *("/", "/?q=event.00042", "/?state=failing", "/?state=missed", "/?order=next", "/?order=last"),
    "/timeline",
    *("/timeline?day=2026-03-29", "/event?name=event.00042", "/why?name=event.00042&at=2026-03-29", "/queues"),
    *("/queue?name=default", "/queue?name=default&cursor=:90000:64", "/busy", "/scheduled", "/retries", "/dead"),
    *("/dead?class=ChargeCard", "/dead?error=zzz", "/dead?error=zzz%C3%A9", "/dead?args=ada", "/processes"),
    *("/redis", "/audit", "/changes", "/metrics", "/metrics?span=24h", "/heat", "/go?q=42"),
)
FILE = "from clock import every\nfor n in range(%d): every().day.at('06:00').do(print).named(f'event.{n:05}')"
GUIDE = Path(__file__).parents[1] / "docs" / "dashboard.md"
BEGIN, END = "<!-- speed -->\n", "<!-- end of speed -->"
#: KEYS: a list or a sorted set. ARGV: jobs to add, number of the first one, the format of a payload.
#: A script, since a client would need several times as long for as many jobs.
FILL = """
local is_list = KEYS[1]:sub(1, 6) == 'queue:'
for number = ARGV[2], ARGV[2] + ARGV[1] - 1 do
  local class = number % 1000 == 0 and 'ChargeCardJob' or 'SendMailJob'
  local job = ARGV[3]:format(class, number, number)
  if is_list then redis.call('LPUSH', KEYS[1], job)
  else redis.call('ZADD', KEYS[1], 1.7e9 + number / 1000, job) end
end
"""
PAYLOAD = (
    '{"class":"%s","args":[%d,"ada@example.org"],"jid":"%024x","queue":"default","enqueued_at":1.7e9,'
    '"created_at":1.7e9,"retry":true,"retry_count":3,"failed_at":1.7e9,"error_class":"OSError",'
    '"error_message":"the mail server mail.example.org did not answer within 30 s"}'
)


def main() -> None:
    """Fill the server, and print a row for each page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--dead", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1_000)
    parser.add_argument("--write", action="store_true", help="replace the table of docs/dashboard.md")
    sizes = parser.parse_args()
    timetable = loads(FILE % sizes.events)
    gc.freeze()  # as `clock web` does
    with tempfile.TemporaryDirectory() as folder:
        redis = connect(embedded.start_or_join(Path(folder)), max_connections=4)
        redis.config_set("appendonly", "no")
        redis.config_set("save", "")
        fill(redis, sizes.waiting, sizes.dead)
        fill_events(redis, timetable)
        fill_workers(redis, sizes.workers)
        lines = [*_conditions(redis, sizes), "", *measure(redis, timetable)]
    if sizes.write:
        write(lines)


def fill(redis: Redis, waiting: int, dead: int) -> None:
    """Jobs in a queue, and in `dead`, `retry` and `schedule`."""
    redis.sadd("queues", "default")
    add = redis.register_script(FILL)
    for key, count in (("queue:default", waiting), ("dead", dead), ("retry", dead), ("schedule", dead)):
        for start in range(0, count, BATCH):
            add(keys=[key], args=[min(BATCH, count - start), start, PAYLOAD])


def _conditions(redis: Redis, sizes: argparse.Namespace) -> list[str]:
    """What was measured, in words, for the guide."""
    memory = int(redis.info("memory")["used_memory"]) / 1e9
    line = (
        f"{sizes.waiting:,} waiting jobs, {sizes.dead:,} each of dead jobs, retries and scheduled jobs,\n"
        f"{sizes.events:,} events, {sizes.workers:,} workers; Redis used {memory:.1f} GB. {TIMES} visits of each "
        f"page,\none after the other, on {os.cpu_count()} cores with a load of {os.getloadavg()[0]:.0f}."
    )
    print(line, flush=True)
    return line.splitlines()


def write(lines: Sequence[str]) -> None:
    """Put the table into the guide."""
    before, _, rest = GUIDE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    GUIDE.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after)


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


@dataclass(slots=True)
class Cost:
    """The cost of a page: times of all visits, processor time of one; bytes, commands and times of Redis."""

    took_ms: list[float]
    cpu_ms: float
    sent: int
    commands: float
    redis_ms: float
    slowest_ms: float


HEADINGS = ("page", "p50, ms", "p95, ms", "processor, ms", "bytes", "commands", "Redis, ms", "slowest command, ms")


def measure(redis: Redis, timetable: Timetable) -> list[str]:
    """Print the table, and return its lines."""
    dashboard = Dashboard(Source(redis, timetable, SystemClock()), access=lambda request: Access.everything("ana"))
    redis.config_set("slowlog-log-slower-than", 0)
    redis.config_set("slowlog-max-len", 20_000)
    clock = SystemClock()
    began = clock.monotonic()
    dashboard._data.overview(READING_SECONDS)
    lines = [f"The first reading of all events took {clock.monotonic() - began:.1f} s.", ""]
    print(lines[0], flush=True)
    lines += [f"| {' | '.join(HEADINGS)} |", "| --- |" + " ---: |" * (len(HEADINGS) - 1)]
    for page in PAGES:
        cost = _cost(redis, dashboard, page)
        took = sorted(cost.took_ms)
        lines.append(
            f"| `{page}` | {took[TIMES // 2]:.0f} | {took[TIMES * 95 // 100 - 1]:.0f} | {cost.cpu_ms:.0f} "
            f"| {cost.sent:,} | {cost.commands:.0f} | {cost.redis_ms:.1f} | {cost.slowest_ms:.1f} |"
        )
        print(lines[-1], flush=True)
    return lines


def _cost(redis: Redis, dashboard: Dashboard, page: str) -> Cost:
    clock, parts = SystemClock(), urlsplit(page)
    request = Request("GET", parts.path, parts.query, {"accept-encoding": "gzip"})
    redis.config_resetstat()
    redis.slowlog_reset()
    took, sent, worked = list[float](), 0, time.process_time()
    for _ in range(TIMES):
        began = clock.monotonic()
        response = dashboard.handle(request)
        took.append((clock.monotonic() - began) * 1000)
        sent = len(response.body)
        assert response.status == 200, response.body
    cpu = (time.process_time() - worked) * 1000 / TIMES
    slowest = max((int(entry["duration"]) / 1000 for entry in _commands(redis)), default=0.0)
    stats = [one for name, one in redis.info("commandstats").items() if name not in OURS]
    spent, calls = (sum(one[field] for one in stats) / TIMES for field in ("usec", "calls"))
    return Cost(took, cpu, sent, calls, spent / 1000, slowest)


def _commands(redis: Redis) -> list[dict[str, Any]]:
    ours = (b"SLOWLOG", b"CONFIG", b"INFO")
    return [entry for entry in redis.slowlog_get(20_000) if not bytes(entry["command"]).startswith(ours)]


if __name__ == "__main__":
    main()
