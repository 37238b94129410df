"""The `schedule` package while a clock file is loaded: our scheduler replaces its own, and takes over its jobs.

A file that only has `import schedule` declares events, since the package's default scheduler and its
`Scheduler` class are ours for that time. Ours takes declarations and runs nothing. A scheduler whose class was
derived from the package's own before (`class SafeScheduler(Scheduler)` in a module imported earlier) makes
jobs of the package: they are read, and declared again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import schedule
from schedule import CancelJob

from clock.clocks import SystemClock
from clock.errors import DeclarationError
from clock.timetable.clock_file import at_run_time, draft
from clock.timetable.clock_file.builder import Builder
from clock.timetable.clock_file.fluent import FluentJob

__all__ = ["CancelJob", "Scheduler", "cancels"]

_PACKAGES_OWN: type[schedule.Scheduler] = schedule.Scheduler
_MARGIN = timedelta(seconds=0.2)  # so `next_run() - now`, a time to sleep, is not negative


def cancels(answer: object) -> bool:
    """Whether what an action returned asks, in the package's way, not to run again."""
    return answer is schedule.CancelJob or isinstance(answer, schedule.CancelJob)


class Scheduler(schedule.Scheduler):
    """Makes the jobs of the fluent form; `get_jobs`, `clear` and `cancel_job` are the package's own."""

    def __init__(self) -> None:
        super().__init__()
        self._first_asked: datetime | None = None

    def every(self, interval: int = 1) -> FluentJob:
        """Start a declaration."""
        return FluentJob(interval, self)

    def cancel_job(self, job: schedule.Job) -> None:
        """Take back a declaration; in a running action pause its event, as `CancelJob` does."""
        if draft.being_loaded():
            super().cancel_job(job)
        else:
            _pause([job])

    def clear(self, tag: Hashable | None = None) -> None:
        """Take back all declarations, or those with a tag; in a running action pause their events."""
        if draft.being_loaded():
            super().clear(tag)
        else:
            _pause(self.get_jobs(tag))

    def run_pending(self) -> None:
        """End the file: from here on the clock runs what was declared. In a running action, nothing."""
        if draft.being_loaded() or not at_run_time.current():
            draft.current().ending.reach()

    def run_all(self, delay_seconds: int = 0) -> None:
        """Not supported: a file that is loaded fires nothing. Raises DeclarationError."""
        raise DeclarationError(
            f"{draft.where()}: run_all() would run every job each time this file is loaded; "
            "remove it, and run an event with: python -m clock fire NAME"
        )

    def get_next_run(self, tag: Hashable | None = None) -> datetime | None:
        """None if nothing is declared, else always the same naive local time about now, so a loop goes on."""
        if self.jobs and self._first_asked is None:
            self._first_asked = SystemClock().now().astimezone().replace(tzinfo=None) + _MARGIN
        return self._first_asked if self.jobs else None

    next_run = property(get_next_run)

    @property
    def idle_seconds(self) -> float | None:
        """The present time, as before `run_pending`; None without declarations."""
        return 0.0 if self.jobs else None


def _pause(jobs: Iterable[schedule.Job]) -> None:
    """Have the events of these declarations paused, when the action has ended well. Raises DeclarationError."""
    running = at_run_time.current()
    if running is None:
        raise draft.not_loading()
    names = [job.event_name for job in jobs if isinstance(job, FluentJob) and job.event_name]
    running.cancelled += [name for name in names if name not in running.cancelled]


@contextmanager
def standing_in(scheduler: Scheduler) -> Iterator[schedule.Scheduler]:
    """Replace the package's scheduler and class by ours for a time; yields its own, which is empty then."""
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
    others = (it for it in named if isinstance(it, _PACKAGES_OWN))
    for scheduler in dict.fromkeys((own, ours, *others)):
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
    if call is not None:  # pragma: no branch  # a job that a scheduler has, has one
        twin.do(call.func, *call.args, **call.keywords)
