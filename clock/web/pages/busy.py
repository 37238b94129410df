"""The jobs that run now."""

from __future__ import annotations

from clock.inspection.busy import busy_jobs
from clock.web.job_rows import job_json
from clock.web.page import Page, Visit

MOST_JOBS = 100


def show(visit: Visit) -> Page:
    """The jobs that run now, the longest first."""
    workers = visit.data.status().workers
    jobs = busy_jobs(visit.data.redis)[:MOST_JOBS]
    total = sum(worker.busy for worker in workers)
    return Page(
        template="busy",
        title=visit.texts("busy.title"),
        section="busy",
        json=[
            {**job_json(visit, busy.job), "worker": busy.worker, "thread": busy.thread, "started": busy.since}
            for busy in jobs
        ],
        view={
            "jobs": jobs,
            "total": total,
            "slots": sum(worker.concurrency for worker in workers),
            "workers": {worker.identity: worker for worker in workers},
        },
    )
