"""The `schedule` package while a clock file is loaded: ours stands in for it, and jobs of its own are taken over.

A file that only says `import schedule` declares events, since the package's default scheduler and its `Scheduler`
class are ours for that time. What was bound to the package's own before that (`class SafeScheduler(Scheduler)` in
a module imported earlier) makes jobs of its own; these are read, and declared again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import schedule

from clock.timetable.clock_file import draft
from clock.timetable.clock_file.builder import Builder
from clock.timetable.clock_file.fluent import FluentJob
from clock.timetable.clock_file.schedule_package import Scheduler

_PACKAGES_OWN: type[schedule.Scheduler] = schedule.Scheduler


@contextmanager
def standing_in(scheduler: Scheduler) -> Iterator[schedule.Scheduler]:
    """Let `scheduler` stand in for the package's default one, and our class for its own; then put all back.

    Yields the package's own default scheduler, which is empty until then.
    """
    ours = {"default_scheduler": scheduler, "jobs": scheduler.jobs, "Scheduler": Scheduler}
    before = {name: vars(schedule)[name] for name in ours}
    own: schedule.Scheduler = before["default_scheduler"]
    jobs = own.jobs[:]
    own.clear()
    vars(schedule).update(ours)
    try:
        yield own
    finally:
        vars(schedule).update(before)
        own.jobs[:] = jobs


def adopt(own: schedule.Scheduler, named: Iterable[object]) -> None:
    """Declare the jobs of the package's own default scheduler, and of those among what the file has named."""
    ours = draft.current().scheduler
    others = (it for it in named if isinstance(it, _PACKAGES_OWN) and it not in (own, ours))
    for scheduler in (own, ours, *others):
        for job in scheduler.get_jobs():
            if isinstance(job, schedule.Job) and not isinstance(job, Builder):
                _declare_again(job)


def _declare_again(job: schedule.Job) -> None:
    current = draft.current()
    twin = FluentJob(job.interval, current.scheduler, source=f"{current.path}:1")
    twin.unit, twin.start_day, twin.latest = job.unit, job.start_day, job.latest
    twin.tag(*job.tags)
    twin.at_time_of(job)
    if job.cancel_after is not None:
        twin.until(job.cancel_after)
    call = job.job_func
    if call is not None:  # a job that a scheduler has, has one
        twin.do(call.func, *call.args, **call.keywords)
