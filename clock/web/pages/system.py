"""The system: clocks, workers, the jobs that run now, Redis and the findings of `clock doctor`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from clock.api import Workers
from clock.inspection.doctor.finding import Grade
from clock.inspection.jobs.busy import busy_jobs
from clock.web.action import Action, Change, Question
from clock.web.job_lists import job_json
from clock.web.page import NotFound, Page, Visit

MOST_WORKERS = 100
MOST_JOBS = 100
MOST_BUSY_WORKERS = 50  # whose jobs are read
GRADES = (Grade.BAD, Grade.WARNING, Grade.GOOD)


def show(visit: Visit) -> Page:
    """Clocks, the leader first, and workers, those with problems first."""
    status = visit.data.status()
    workers = sorted(
        status.workers, key=lambda worker: (not worker.problems and not worker.frozen, worker.identity)
    )
    return Page(
        template="processes",
        json=lambda: {
            "clocks": [asdict(clock) for clock in status.clocks],
            "workers": [asdict(worker) for worker in status.workers],
        },
        view={
            "clocks": status.clocks,
            "workers": workers[:MOST_WORKERS],
            "total": len(workers),
            "problems": status.problems,
        },
    )


def show_busy(visit: Visit) -> Page:
    """The jobs that run now, the longest first; with very many workers, the jobs of the busiest ones."""
    workers = visit.data.status().workers
    busiest = sorted(workers, key=lambda worker: -worker.busy)[:MOST_BUSY_WORKERS]
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


def show_redis(visit: Visit) -> Page:
    """The findings, the bad ones first."""
    findings = sorted(visit.data.findings(), key=lambda finding: GRADES.index(finding.grade))
    return Page(
        template="redis",
        json=lambda: [asdict(finding) for finding in findings],
        view={"findings": findings},
        refreshes=False,
    )


def _worker(visit: Visit) -> str:
    """The worker that is meant. Raises NotFound."""
    identity = visit.field("worker")
    if all(worker.identity != identity for worker in visit.data.status().workers):
        raise NotFound(visit.texts("worker.missing", worker=identity))
    return identity


def _ask(visit: Visit, identity: str) -> Question:
    return Question([identity])


def _do(act: Callable[[Workers, str], object], visit: Visit, identity: str) -> Change:
    act(Workers(redis=visit.data.redis), identity)
    return identity, 1


PAGES = {"/processes": show, "/busy": show_busy, "/redis": show_redis}
ACTIONS = {
    "quiet_worker": Action("quiet", partial(_do, Workers.quiet), _worker, _ask),
    "stop_worker": Action("quiet", partial(_do, Workers.stop), _worker, _ask, is_danger=True),
    "threads_worker": Action("quiet", partial(_do, Workers.dump), _worker, _ask),
}
