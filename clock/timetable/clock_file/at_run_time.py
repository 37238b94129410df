"""The `schedule` package inside a running action: `cancel_job` and `clear` pause events, `every` is refused.

While an action runs, the package's functions reach the scheduler of its clock file, and everybody else in the
process the package's own. Threads that an action starts count as everybody else.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import schedule


@dataclass(slots=True)
class Running:
    """An action under way: its file's scheduler, and the events that it has cancelled so far."""

    scheduler: schedule.Scheduler | None
    cancelled: list[str] = field(default_factory=list)


_running: ContextVar[Running | None] = ContextVar("clock_running_action", default=None)
current = _running.get  # the action that the caller runs in
_lock = threading.Lock()
_count = 0  # actions under way; guarded by _lock
_own = schedule.default_scheduler


class _Router:
    """Replaces the package's default scheduler: each call goes to the scheduler that the caller means."""

    def __getattribute__(self, name: str) -> object:
        running = _running.get()
        return getattr((running and running.scheduler) or _own, name)


_router = _Router()


@contextmanager
def action(scheduler: schedule.Scheduler | None) -> Iterator[Running]:
    """Run an action of the clock file whose scheduler this is."""
    running = Running(scheduler)
    token = _running.set(running)
    _enter(1, scheduler)
    try:
        yield running
    finally:
        _enter(-1, None)
        _running.reset(token)


def _enter(change: int, scheduler: schedule.Scheduler | None) -> None:
    global _count, _own  # the package has one default scheduler in the process, too
    with _lock:
        found: object = schedule.default_scheduler
        if not _count and found is not _router:  # a file that was loaded during an action restores the router
            _own = schedule.default_scheduler
        _count += change
        jobs = (scheduler or _own).jobs
        vars(schedule).update(default_scheduler=_router if _count else _own, jobs=jobs)
