"""The jobs that run now, as workers, Sidekiq's as well, report them with each heartbeat."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from clock.inspection.jobs.jobs import FoundJob, found
from clock.inspection.jobs.progress import Progress, progress_of
from clock.store import Redis, listing
from clock.store.invalid_values import json_object, seconds_in
from clock.store.jobs.in_progress import InProgress
from clock.store.server.shards import every


@dataclass(frozen=True, slots=True)
class BusyJob:
    """A job that runs: its worker, thread and queue, and since when (float seconds; 0: unknown).

    `progress` is what the job has reported of it.
    """

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
