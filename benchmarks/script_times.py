"""How long Redis is held by each script, with 1,000,000 waiting jobs, 200,000 retries and jobs of 20 MB.

    python benchmarks/script_times.py [--waiting 1000000] [--retries 200000] [--large-mb 20] [--limit-ms 20]

A server of its own is filled, then everything that moves, looks for or removes jobs is done once. Redis
measures each script itself (SLOWLOG); the longest one of each task is printed. One large job cannot be moved in
parts, and each script that has its text copies it several times. So compare such a task with a script that only
reads the job, writes it elsewhere and returns it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it can be run as a file

from redis import Redis

from benchmarks.workers.running import server
from clock import Job
from clock.clocks import SystemClock, from_ms, to_ms
from clock.inspection.jobs.job_sets import RETRY, QueueJobs, WaitingSet, trim_dead
from clock.inspection.jobs.jobs import FoundJob
from clock.inspection.jobs.pages import set_place
from clock.store import keys
from clock.store.jobs.delayed import Delayed, Nearer
from clock.store.jobs.in_progress import InProgress
from clock.store.ledger.decision import Decision, DecisionKind
from clock.store.ledger.held_pushes import Push
from clock.store.ledger.ledger import RedisLedger
from clock.worker.maintenance.recovery import recover, unpark
from clock.worker.maintenance.scheduled import ScheduledJobs

CLOCK = SystemClock()
NOW = CLOCK.now().timestamp()
CHUNK = 2_000
SMALLEST = "local job = redis.call('RPOP', KEYS[1]) redis.call('HSET', KEYS[2], '1', job) return job"


class NoteJob(Job):
    """A job whose class is known."""

    def perform(self, number: int) -> None:
        """Do nothing."""


def payload(number: int, filler: int = 60, *, name: str = "NoteJob") -> str:
    """The payload of a usual job, pushed in its order."""
    job = {
        "class": name,
        "args": [number, "x" * filler],
        "jid": f"{number:024x}",
        "queue": "default",
        "retry": True,
    }
    return json.dumps({**job, "created_at": NOW - 9_000, "enqueued_at": NOW - 9_000 + number / 1_000})


class Tasks:
    """Does a task and prints the longest time for which Redis was held by a script, and by any command."""

    def __init__(self, redis: Redis, limit_ms: float) -> None:
        self._redis = redis
        self._limit_ms = limit_ms
        self.is_well = True
        redis.config_set("slowlog-log-slower-than", 0)
        redis.config_set("slowlog-max-len", 200_000)

    def do(self, name: str, task: Callable[[], object], *, is_large: bool = False) -> None:
        """Do one task."""
        self._redis.slowlog_reset()
        task()
        entries: Any = self._redis.slowlog_get(200_000)
        scripts = [one["duration"] / 1000 for one in entries if one["command"].startswith(b"EVAL")]
        others = [
            one["duration"] / 1000 for one in entries if not one["command"].startswith((b"EVAL", b"SLOWLOG"))
        ]
        longest = max(scripts, default=0.0)
        if longest > self._limit_ms and not is_large:
            self.is_well = False
        print(
            f"  {name:66}{len(scripts):7,} scripts, longest {longest:8.2f} ms;"
            f" longest other command {max(others, default=0.0):8.2f} ms",
            flush=True,
        )


def fill(redis: Redis, waiting: int, retries: int) -> None:
    """Queues, retries and the rest of a busy day."""
    redis.sadd("queues", "default")
    for start in range(0, waiting, CHUNK):
        redis.lpush("queue:default", *(payload(number) for number in range(start, min(waiting, start + CHUNK))))
    for start in range(0, retries, CHUNK):
        part = range(start, min(retries, start + CHUNK))
        redis.zadd("retry", {payload(10**9 + number): NOW + 3_600 + number for number in part})


def usual_jobs(redis: Redis, tasks: Tasks, waiting: int) -> None:
    """All tasks with jobs of usual size."""
    ledger = RedisLedger(redis)
    tasks.do(
        ".overlap(): a job that waits in the middle of the queue", lambda: overlap(redis, ledger, waiting // 2)
    )
    tasks.do(".overlap(): a job that was removed", lambda: overlap(redis, ledger, 10**12))
    tasks.do("fire 10,000 due instants", lambda: fire(ledger, 10_000))
    in_progress = InProgress(redis, "host:1:a")
    tasks.do("claim 1,000 jobs", lambda: claim(in_progress, 1_000))
    tasks.do("put back a dead worker's 1,000 jobs", lambda: recover(redis, clock=CLOCK))
    redis.zadd("schedule", {payload(10**10 + number): NOW - 60 for number in range(20_000)})
    poller = ScheduledJobs(Delayed(redis), Nearer(redis), clock=CLOCK)
    tasks.do("move 20,000 delayed jobs that are due", poller.poll)
    redis.sadd(keys.PARKED, "NoteJob")
    for start in range(0, 20_000, CHUNK):
        redis.lpush(keys.PARKED_JOBS + "NoteJob", *(payload(10**11 + start + n) for n in range(CHUNK)))
    tasks.do("release 20,000 parked jobs", lambda: unpark(Delayed(redis)))
    retry = WaitingSet(redis, RETRY)
    jobs = list(set_place(redis, RETRY).jobs())
    tasks.do(f"retry kill of {len(jobs) // 4:,}", lambda: retry.bury(jobs[: len(jobs) // 4], NOW))
    tasks.do("dead: what is beyond the limits", lambda: trim_dead(redis, NOW))
    tasks.do("retry retry of 20,000", lambda: retry.enqueue(jobs[len(jobs) // 2 :][:20_000], NOW))
    tasks.do("retry clear", retry.clear)
    queue = QueueJobs(redis, "default")
    near: Any = redis.lrange("queue:default", -600, -500)
    middle: Any = redis.lrange("queue:default", waiting // 2, waiting // 2 + 100)
    tasks.do("queue delete of 100 jobs near the end", lambda: queue.delete(list(map(FoundJob, near))))
    tasks.do(
        "queue delete of 100 jobs in the middle (*)",
        lambda: queue.delete(list(map(FoundJob, middle))),
        is_large=True,
    )
    tasks.do("queue clear", queue.clear)


def overlap(redis: Redis, ledger: RedisLedger, number: int) -> None:
    """An event's next due instant, while its job has waited for more than a minute."""
    due = round((NOW - 9_000) * 1000) + number % 10**6
    redis.delete(keys.WATCHED + "feed")
    redis.hset(keys.WATCHED + "feed", f"{number:024x}", due)
    found = [ledger.running("feed", due + second * 1_000) for second in (1, 61, 62, 63)]
    print(f"  unfinished jobs 1 s, 61 s, 62 s and 63 s after the due instant: {found}")


def fire(ledger: RedisLedger, count: int) -> None:
    """Decide so many due instants, each with a job."""
    now = to_ms(CLOCK.now()) // 1000 * 1000
    names = [f"event-{number}" for number in range(count)]
    entries = ledger.declare([(name, "d") for name in names], now)
    ledger.commit(
        [
            Decision(name, "d", entry.decided_ms, now, DecisionKind.FIRED, {}, [Push(payload(number), "fired")])
            for number, (name, entry) in enumerate(zip(names, entries, strict=True))
        ]
    )


def claim(in_progress: InProgress, count: int) -> None:
    """Claim jobs as a worker that dies at once."""
    in_progress.claim(["default"], count, done=(), now=from_ms(0), expires_seconds=0.0)


def claim_each(in_progress: InProgress, count: int) -> None:
    """Claim so many times."""
    for _ in range(count):
        claim(in_progress, 10)


def large_jobs(redis: Redis, tasks: Tasks, megabytes: int) -> None:
    """The tasks with large jobs: each script may hold one."""
    large = [payload(number, megabytes * 1_000_000) for number in range(6)]
    redis.flushall()
    tasks.do(f"for comparison: LPUSH of one job of {megabytes} MB", lambda: redis.lpush("other", large[0]))
    redis.delete("other")
    redis.lpush("queue:default", large[0])
    tasks.do(
        "for comparison: a script that reads, writes and returns it",
        lambda: redis.eval(SMALLEST, 2, "queue:default", "other"),
        is_large=True,
    )
    redis.delete("other")
    for job in large:
        redis.lpush("queue:default", job)
    in_progress = InProgress(redis, "host:1:a")
    tasks.do("claim large jobs, one by one (*)", lambda: claim_each(in_progress, len(large)), is_large=True)
    tasks.do("put back a dead worker's large jobs (*)", lambda: recover(redis, clock=CLOCK), is_large=True)
    ledger = RedisLedger(redis)
    tasks.do(".overlap() beside large jobs", lambda: overlap(redis, ledger, 1))
    redis.delete("queue:default")
    redis.zadd("retry", dict.fromkeys(large, NOW))
    retry = WaitingSet(redis, RETRY)
    tasks.do(
        "retry kill of large jobs, one by one (*)",
        lambda: retry.bury(list(set_place(redis, RETRY).jobs()), NOW),
        is_large=True,
    )
    tasks.do("dead clear", WaitingSet(redis, "dead").clear)


def main() -> None:
    """Measure and print; exit code 1 if a script held Redis for too long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waiting", type=int, default=1_000_000, help="jobs in the queue")
    parser.add_argument("--retries", type=int, default=200_000, help="jobs in retry")
    parser.add_argument("--large-mb", type=int, default=20, help="size of the large jobs")
    parser.add_argument("--limit-ms", type=float, default=20.0, help="longest time of a script")
    given = parser.parse_args()
    with server() as redis:
        with suppress(PermissionError):  # a server that waits for a core would seem slow
            os.setpriority(os.PRIO_PROCESS, int(redis.info("server")["process_id"]), -15)
        tasks = Tasks(redis, given.limit_ms)
        fill(redis, given.waiting, given.retries)
        print(f"{given.waiting:,} jobs wait, {given.retries:,} are to be retried:")
        usual_jobs(redis, tasks, given.waiting)
        print(f"Jobs of {given.large_mb} MB:")
        large_jobs(redis, tasks, given.large_mb)
    print(f"(*) not held to {given.limit_ms:g} ms: LREM looks at half of a list; one job cannot be moved in parts")
    sys.exit(not tasks.is_well)


if __name__ == "__main__":
    main()
