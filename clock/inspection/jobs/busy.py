"""The jobs that run now, and their progress, as workers, Sidekiq's as well, report them with each heartbeat."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from clock.inspection.jobs.jobs import FoundJob, found
from clock.inspection.jobs.pages import all_places
from clock.store import Redis, listing
from clock.store.invalid_values import json_object, seconds_in
from clock.store.jobs.in_progress import InProgress
from clock.store.server.shards import every


@dataclass(frozen=True, slots=True)
class Progress:
    """How many items are done, of how many (None: unknown), in how many seconds; and the job's own note.

    >>> str(Progress(50, 200, 25.0, "page 3"))
    '50 of 200 (25 %), 2 a second, 75 s left, page 3'
    """

    done: float
    total: float | None = None
    seconds: float | None = None
    note: str | None = None

    @property
    def rate(self) -> float | None:
        """Items in a second; None: unknown."""
        return self.done / self.seconds if self.seconds and self.done else None

    @property
    def seconds_left(self) -> float | None:
        """How long it takes at this rate; None: unknown."""
        if self.rate is None or self.total is None:
            return None
        return max(0.0, (self.total - self.done) / self.rate)

    def __str__(self) -> str:
        parts = [f"{self.done:g}" if self.total is None else f"{self.done:g} of {self.total:g}"]
        if self.total:
            parts[0] += f" ({100 * self.done / self.total:.0f} %)"
        if self.rate is not None:
            parts.append(f"{self.rate:.3g} a second")
        if self.seconds_left:
            parts.append(f"{self.seconds_left:.0f} s left")
        return ", ".join([*parts, *([self.note] if self.note else [])])

    @property
    def as_json(self) -> dict[str, object]:
        """For programs."""
        return {**asdict(self), "rate": self.rate, "seconds_left": self.seconds_left}


def progress_of(report: object) -> Progress | None:
    """The progress in a worker's report, or None if it is missing or invalid."""
    if not isinstance(report, Mapping) or not _is_number(report.get("done")):
        return None
    total, seconds, note = report.get("total"), report.get("seconds"), report.get("note")
    return Progress(
        report["done"],
        total if _is_number(total) else None,
        seconds if _is_number(seconds) else None,
        note if isinstance(note, str) else None,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class BusyJob:
    """A job that runs: its worker, thread and queue, since when (float seconds; 0: unknown), what it reported."""

    worker: str
    thread: str
    queue: str
    job: FoundJob
    since: float
    progress: Progress | None = None


def busy_jobs(redis: Redis, workers: Sequence[str] | None = None) -> list[BusyJob]:
    """The jobs that run now, the longest first. `workers` None: of all workers. Raises StoreUnavailable."""
    rows = listing.work(redis, workers)
    jobs = [job for identity, work in rows.items() for job in _of_worker(identity, work)]
    return sorted(jobs, key=lambda job: job.since)


def claimed_jobs(redis: Redis) -> Iterator[BusyJob]:
    """The jobs that workers have claimed and not finished; of Sidekiq's workers those that run, as they report.

    `since` is when the job was enqueued, failed or created. Raises StoreUnavailable.
    """
    ours = set[str]()
    for number, place in enumerate(every(redis)):
        for identity in listing.registered(place):
            ours.add(identity)
            for step in InProgress(place, identity).left():
                for claimed, _ in step:
                    job = found(claimed.payload, None, number)
                    yield BusyJob(identity, "", claimed.queue, job, job.since or 0.0)
    yield from (busy for busy in busy_jobs(redis) if busy.worker not in ours)


def all_jobs(redis: Redis) -> Iterator[FoundJob]:
    """The jobs in all places, also those that workers have claimed. Raises StoreUnavailable."""
    for place in all_places(redis):
        yield from place.jobs()
    yield from (busy.job for busy in claimed_jobs(redis))


def _of_worker(identity: str, work: Mapping[str, bytes]) -> list[BusyJob]:
    reports = ((thread, json_object(text)) for thread, text in work.items())
    return [
        BusyJob(
            identity,
            thread,
            str(report.get("queue", "")),
            _job(report.get("payload")),
            seconds_in(report.get("run_at")),
            progress_of(report.get("progress")),
        )
        for thread, report in reports
        if report is not None  # another program has written it
    ]


def _job(payload: object) -> FoundJob:
    """The job of a report: its JSON as a text, or, by old versions of Sidekiq, as an object."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return found(text.encode(errors="backslashreplace"))
