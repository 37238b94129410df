"""The jobs that run now."""

from __future__ import annotations

from clock.inspection.jobs.busy import busy_jobs
from clock.web.job_lists import job_json
from clock.web.page import Page, Visit

MOST_JOBS = 100
MOST_WORKERS = 50  # whose jobs are read


def show(visit: Visit) -> Page:
    """The jobs that run now, the longest first; with very many workers, the jobs of the busiest ones."""
    workers = visit.data.status().workers
    busiest = sorted(workers, key=lambda worker: -worker.busy)[:MOST_WORKERS]
    jobs = busy_jobs(visit.data.redis, [worker.identity for worker in busiest])[:MOST_JOBS]
    total = sum(worker.busy for worker in workers)
    return Page(
        template="busy",
        json=lambda: [
            {
                **job_json(visit, busy.job),
                "worker": busy.worker,
                "thread": busy.thread,
                "started": busy.since,
                "progress": busy.progress.as_json if busy.progress else None,
            }
            for busy in jobs
        ],
        view={"jobs": jobs, "total": total, "slots": sum(worker.concurrency for worker in workers)},
    )


PAGES = {"/busy": show}
