"""When a worker process ends by itself, to be replaced: at a limit, or if it alone is cut off from Redis.

After `max_jobs` jobs, or above `max_memory` MB, it stops claiming, finishes its running jobs however long they
take, and exits. Its launcher starts another process.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from clock.clocks import Clock
from clock.errors import ConfigurationError
from clock.job.context import JobRun
from clock.worker.fetching.fetcher import Fetcher
from clock.worker.heartbeat.heartbeat import resident_kb
from clock.worker.options import WorkerOptions

KB_PER_MB = 1024
STUCK_SECONDS = 60.0
PAUSED_SECONDS = 10.0  # checked every second; a longer gap means that the whole process was suspended


class Limits:
    """Counts the jobs of this process and measures its memory. `on_last_job` is called after the last job."""

    def __init__(self, options: WorkerOptions, on_last_job: Callable[[], object]) -> None:
        self._on_last_job = on_last_job
        self._max_jobs = options.max_jobs
        self._max_memory_mb = options.max_memory_mb
        self._numbers = itertools.count(1)  # `next` is atomic: job threads share it
        self._has_run_all = False

    def note(self, run: JobRun) -> None:
        """Count a run. For the worker's listeners."""
        if run.outcome != "unfit" and next(self._numbers) == self._max_jobs:
            self._has_run_all = True
            self._on_last_job()

    def reached(self) -> str:
        """The limit that was reached, in words; empty: none. Cheap enough for every second."""
        if self._has_run_all:
            return f"it has run {self._max_jobs} jobs (max_jobs)"
        if self._max_memory_mb and (used := resident_kb() // KB_PER_MB) > self._max_memory_mb:
            return f"it uses {used} MB (max_memory is {self._max_memory_mb} MB)"
        return ""


def check_memory(max_memory_mb: int | None) -> None:
    """Check the limit before the first job. Raises ConfigurationError if the process uses more already."""
    used = resident_kb() // KB_PER_MB
    if max_memory_mb and used >= max_memory_mb:
        raise ConfigurationError(
            f"max_memory is {max_memory_mb} MB, but this worker uses {used} MB before its first job; "
            f"set max_memory to {2 * used} or more"
        )


class Watchdog:
    """Checks that the fetcher completes round trips. `redis_answers` asks over a separate connection."""

    def __init__(self, fetcher: Fetcher, *, redis_answers: Callable[[], bool], clock: Clock) -> None:
        self._fetcher = fetcher
        self._redis_answers = redis_answers
        self._clock = clock
        self._last_look = float("inf")
        self._since = float("-inf")  # when the process was last found to have been stopped

    def is_stuck(self) -> bool:
        """Whether this worker should exit, so its supervisor starts another. Call it each second.

        After a suspension of the whole process (SIGSTOP, a paused container) the minute starts again.
        """
        now = self._clock.monotonic()
        if now - self._last_look > PAUSED_SECONDS:
            self._since = now
        silent = now - max(self._fetcher.claims.last_round_trip, self._since)
        stuck = silent > STUCK_SECONDS and not self._fetcher.stopping and self._redis_answers()
        self._last_look = self._clock.monotonic()
        return stuck
