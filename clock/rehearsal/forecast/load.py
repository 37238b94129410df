"""The load of a timetable: its firings, and how long their jobs keep a slot busy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from clock.errors import ConfigurationError
from clock.inspection.jobs.metrics import Span, figures
from clock.inspection.processes import workers
from clock.rehearsal.event_job import job_class_of
from clock.store import Redis
from clock.timetable import Event, Timetable

MOST_RUNS = 500_000  # some seconds of work
MEASURED = Span(432, 10)  # 3 days: workers keep figures for so long


@dataclass(frozen=True, slots=True)
class Run:
    """A run: its due instant in seconds since 1970, its event, and the seconds that its job takes."""

    due: float
    event: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Load:
    """The runs of a period in the order of their due instants.

    `assumed` are job classes without measured runs. `in_clock` are events whose function runs in the clock, so
    they keep no worker slot busy.
    """

    start: datetime
    end: datetime
    runs: Sequence[Run]
    events: Mapping[str, Event]
    assumed: Sequence[str] = field(default_factory=list)
    in_clock: Sequence[str] = field(default_factory=list)

    @property
    def conditional(self) -> list[str]:
        """The events with runs and a condition, which counts as true."""
        return [name for name in {run.event: None for run in self.runs} if self.events[name].condition is not None]


def load_of(
    timetable: Timetable, start: datetime, end: datetime, *, seconds: Mapping[str, float], default: float
) -> Load:
    """The load of a timetable from `start` to `end`.

    `seconds` has the mean run time of each job class, `default` is that of the others. Conditions count as true.
    Raises ConfigurationError for more than `MOST_RUNS`.
    """
    jobs = {event.name: job for event in timetable.events if (job := job_class_of(event)) is not None}
    took = {name: seconds.get(job.wire_name, default) for name, job in jobs.items()}
    found = list(islice(timetable.due_between(start, end), MOST_RUNS + 1))
    if len(found) > MOST_RUNS:
        raise ConfigurationError(
            f"the timetable has more than {MOST_RUNS:,} runs from {start.isoformat()} to {end.isoformat()}: "
            "choose a shorter period with --to"
        )
    runs = [Run(due, event.name, took[event.name]) for due, event in found if event.name in took]
    assumed = sorted({job.wire_name for job in jobs.values() if job.wire_name not in seconds})
    in_clock = [event.name for event in timetable.events if event.name not in jobs]
    return Load(start, end, runs, timetable.by_name, assumed, in_clock)


def measured_seconds(redis: Redis, now: datetime) -> dict[str, float]:
    """The mean seconds of each job class in the last 3 days, of runs that succeeded. Raises StoreUnavailable."""
    found = figures(redis, MEASURED, now).classes
    return {one.job_class: one.mean_seconds for one in found if one.processed > one.failed}


def live_slots(redis: Redis, now: datetime) -> int:
    """How many jobs the running workers can run at once. Raises StoreUnavailable."""
    return sum(worker.concurrency for worker in workers(redis, now.timestamp()) if not worker.quiet)
