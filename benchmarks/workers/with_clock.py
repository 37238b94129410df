"""clock: `python -m clock worker`, ten threads."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import groupby

from benchmarks.workers.clock_jobs.jobs import BY_NAME
from benchmarks.workers.same_jobs import THREADS, Call, program


def push(calls: Sequence[Call]) -> None:
    """Push runs of equal jobs in bulk, and a single one as programs do."""
    for name, group in groupby(calls, key=lambda call: call[0]):
        batch = [args for _, args in group]
        if len(batch) == 1:
            BY_NAME[name].perform_async(*batch[0])
        else:
            BY_NAME[name].perform_bulk(batch)


def work() -> None:
    """Become the worker."""
    words = ["-m", "clock", "worker", "-r", "benchmarks/workers/clock_jobs", "-c", str(THREADS), "-q", "default"]
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606  # this interpreter, words of our own


if __name__ == "__main__":
    program(push, work)
