"""The job that an event enqueues."""

from __future__ import annotations

from clock.job import Job, Setter
from clock.job.types import JobClass
from clock.timetable import Event


def job_class_of(event: Event) -> JobClass | None:
    """The class of the job that the event enqueues, also by `.set(...)`; None: it enqueues no known job."""
    job = getattr(event.action, "job", None)
    if isinstance(job, Setter):
        return job.job
    return job if isinstance(job, type) and issubclass(job, Job) else None


def queue_of(event: Event) -> str | None:
    """The queue that the event's job goes to; None: it enqueues no known job."""
    job = getattr(event.action, "job", None)
    if isinstance(job, Setter) and "queue" in job.options:
        return str(job.options["queue"])
    found = job_class_of(event)
    return None if found is None else found.queue
