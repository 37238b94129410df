"""The job that an event enqueues."""

from __future__ import annotations

from clock.job import Job, Setter
from clock.timetable import Event


def job_class_of(event: Event) -> type[Job] | None:
    """The class of the job that the event enqueues, also by `.set(...)`; None: it enqueues none that we know."""
    job = getattr(event.action, "job", None)
    if isinstance(job, Setter):
        return job.job
    return job if isinstance(job, type) and issubclass(job, Job) else None


def queue_of(event: Event) -> str | None:
    """The queue that the event's job goes to; None: as above."""
    job = getattr(event.action, "job", None)
    if isinstance(job, Setter) and "queue" in job.options:
        return str(job.options["queue"])
    found = job_class_of(event)
    return None if found is None else found.queue
