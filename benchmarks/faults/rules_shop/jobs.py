"""Twenty classes of jobs with all rules, which leave a trace of their runs that no fault of Redis touches."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from clock import Discard, IterableJob, Job, Limit, Rate, Unique

TRACE = os.environ.get("TRACE", "trace")
MAXIMA = {"one": 1, "three": 3, **{f"account:{number}": 2 for number in range(5)}}
ONE, THREE = Limit("one", 1), Limit("three", 3)
ACCOUNT = Limit(lambda number, *_: f"account:{number % 5}", 2)
BUCKET, WINDOW = Rate("bucket", 60, per=1), Rate("window", 40, per=1, window=True)

#: The options of each class.
OPTIONS: list[dict[str, Any]] = [
    {},
    {"limits": ONE},
    {"limits": THREE},
    {"limits": [ONE, THREE]},
    {"limits": ACCOUNT},
    {"limits": [THREE, ACCOUNT]},
    {"rates": BUCKET},
    {"rates": WINDOW},
    {"rates": [BUCKET, WINDOW]},
    {"limits": THREE, "rates": BUCKET},
    {"limits": ACCOUNT, "rates": WINDOW},
    {"unique": Unique(by=lambda number, *_: number % 50)},
    {"unique": Unique(by=lambda number, *_: number % 50, until="start")},
    {"unique": Unique(by=lambda number, *_: number % 50, on_conflict="replace")},
    {"unique": True, "limits": THREE},
    {"unique": True, "limits": ACCOUNT, "rates": BUCKET, "result_ttl": 60},
    {"result_ttl": 60},
    {"result_ttl": 60, "limits": ONE},
    {"limits": [THREE, ACCOUNT], "rates": [BUCKET, WINDOW]},
]


class MixedJob(Job):
    """Does what its arguments say."""

    retry = 3

    def perform(self, number: int, seconds: float, fate: str) -> int:
        """Work so long; then succeed, fail once, die, or be discarded."""
        with traced(self):
            time.sleep(seconds)
            if fate == "discard":
                raise Discard
            if fate == "die" or (fate == "fail once" and self.attempt == 1):
                raise ValueError(fate)
        return number

    def retry_in(self, count: int, error: BaseException) -> float:
        """At once."""
        return 0.1


MIXED: list[type[MixedJob]] = [
    type(f"Mixed{number}Job", (MixedJob,), {**options, "__module__": __name__, "__doc__": MixedJob.__doc__})
    for number, options in enumerate(OPTIONS)
]


class CountedJob(Job):
    """Is pushed by a fan-out, once for each number."""

    def perform(self, fan_out: int, number: int) -> None:
        """Leave the trace."""
        note(kind="counted", fan_out=fan_out, number=number, jid=self.jid)


class FanOutNotesJob(IterableJob):
    """Pushes many jobs, exactly once each."""

    exactly_once = True
    limits = THREE

    def items(self, fan_out: int, count: int, *, cursor: int | None) -> Iterator[tuple[int, int]]:
        """The numbers after the cursor."""
        yield from ((number, number) for number in range(0 if cursor is None else cursor + 1, count))

    def each(self, number: int, fan_out: int, count: int) -> None:
        """Push one job."""
        CountedJob.perform_async(fan_out, number)


class NoteEventJob(Job):
    """The callback of a batch, or the job that follows another one."""

    def perform(self, name: str, event: str) -> None:
        """Leave the trace."""
        note(kind="event", name=name, event=event, jid=self.jid)


@contextmanager
def traced(job: Job) -> Iterator[None]:
    """Note start and end of a run. A killed worker leaves no end."""
    limits: Any = job.context.payload.get("limits", ())
    note(kind="start", jid=job.jid, limits=[limit["name"] for limit in limits])
    try:
        yield
    finally:
        note(kind="end", jid=job.jid)


def note(**fields: object) -> None:
    """Append a line to the trace. A short line is appended whole."""
    line = json.dumps({**fields, "pid": os.getpid(), "at": time.time()}) + "\n"
    trace = os.open(TRACE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(trace, line.encode())
    os.close(trace)
