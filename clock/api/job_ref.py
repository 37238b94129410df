"""One job by its id, wherever it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from clock.api.objects import awaitable, connected, instant, now
from clock.clocks import SystemClock
from clock.errors import JobError, SearchIncomplete
from clock.inspection.jobs.busy import claimed_jobs
from clock.inspection.jobs.job_history import Moment, moments
from clock.inspection.jobs.job_sets import DEAD, RETRY, SCHEDULE, QueueJobs, SetName, WaitingSet
from clock.inspection.jobs.jobs import FoundJob, JobFilter
from clock.inspection.jobs.limits import delete_blocked, find_blocked
from clock.inspection.jobs.pages import Place, parked_place, queue_place, set_place
from clock.job.payload import Time, due_at
from clock.job.push import client
from clock.job.results import keeps_result, kept_error
from clock.printable import brief, is_utf8, printable
from clock.store import Redis, listing
from clock.store.jobs import results
from clock.store.jobs.cancellations import KEPT_SECONDS, MISSED_SECONDS, mark, unmark
from clock.store.server.shards import every

State = Literal["running", "enqueued", "scheduled", "retry", "dead", "parked", "blocked"]

WITHIN_SECONDS = 5.0  # of a search through all places: some million jobs

_monotonic = SystemClock().monotonic

_SETS: Mapping[State, SetName] = {"retry": RETRY, "scheduled": SCHEDULE, "dead": DEAD}


@dataclass(frozen=True, slots=True)
class Located:
    """The place of a job: `state`, and the name of its queue, set, worker, class (parked) or limit (blocked)."""

    state: State
    where: str
    job: FoundJob


class JobRef:
    """The job with the id `jid`. Its methods raise StoreUnavailable.

    Redis has no index of jobs: each method reads through all places of jobs, in bounded steps, for
    `within` seconds at most. Each has an awaitable twin, whose name starts with `a`. The jid `""`, which
    `perform_async` returns for a push that client middleware stopped, is never found.
    """

    def __init__(self, jid: str, *, redis: Redis | None = None, within: float = WITHIN_SECONDS) -> None:
        if not isinstance(jid, str):
            raise JobError(f"the jid is {brief(jid)}; it must be a text, as perform_async returns it")
        if not is_utf8(jid):
            raise JobError(f"the jid is not valid UTF-8: {printable(jid)}")
        self.jid = jid
        self._redis = connected(redis)
        self._within = within

    def __repr__(self) -> str:
        return f"JobRef({self.jid!r})"

    def locate(self) -> Located | None:
        """The place of the job, or None if it is done, was deleted, or never existed.

        A job that moves on during the search may be missed. Raises SearchIncomplete.
        """
        if not self.jid:
            return None
        for held in claimed_jobs(self._redis):
            if held.job.jid == self.jid:
                return Located("running", held.worker, held.job)
        end = _monotonic() + self._within
        for state, place in self._places():
            job = self._found_in(place, end)
            if job:
                return Located(state, place.name, job)
        blocked = find_blocked(self._redis, self.jid)
        return Located("blocked", blocked[0].name, blocked[1]) if blocked else None

    def history(self) -> list[Moment]:
        """The job's history while it is in Redis, oldest first: its times, and the firing that pushed it.

        Raises SearchIncomplete.
        """
        located = self.locate()
        return moments(self._redis, located.job) if located else []

    def cancel(self) -> bool:
        """Cancel the job: delete it if it waits, ask it to end if it runs. False: it is done or never was.

        A running job gets `JobCancelled` at its next checkpoint: see `Job.check`. If the search does not find the
        job in time, a worker removes it when it claims it. Raises SearchIncomplete then.
        """
        if not self.jid:
            return False
        self._mark(KEPT_SECONDS)
        located = self.locate()
        if located is None:
            self._mark(MISSED_SECONDS)
            return False
        if located.state in ("running", "parked"):
            return True
        if self._delete(located):
            payload = located.job.payload
            if located.state != "dead" and keeps_result(payload):  # programs may wait for it
                results.write(self._redis, kept_error(payload, "cancelled", None))
            for place in every(self._redis):
                unmark(place, self.jid)
        return True

    def _delete(self, located: Located) -> bool:
        if located.state == "blocked":
            return delete_blocked(self._redis, self.jid)
        name = _SETS.get(located.state)
        place = WaitingSet(self._redis, name) if name else QueueJobs(self._redis, located.where)
        return bool(place.delete([located.job], "cancelled"))

    def _mark(self, seconds: float) -> None:
        for place in every(self._redis):
            mark(place, [self.jid], now=instant(), seconds=seconds)

    def reschedule(self, at: Time) -> bool:
        """Set the due time of a scheduled, retried or dead job to `at`. False: it is in none of these sets.

        `at`: an aware datetime, or a timedelta or seconds from now. Raises SearchIncomplete, ValueError.
        """
        due = due_at(at, now())
        return self._in_its_set(lambda place, jobs: place.reschedule(jobs, due))

    def run_now(self) -> bool:
        """Enqueue a scheduled, retried or dead job now; False: it is in none of these sets.

        Raises SearchIncomplete.
        """
        return self._in_its_set(lambda place, jobs: place.enqueue(jobs, now()))

    def _in_its_set(self, act: Callable[[WaitingSet, Sequence[FoundJob]], int]) -> bool:
        located = self.locate()
        name = _SETS.get(located.state) if located else None
        return bool(located and name and act(WaitingSet(self._redis, name), [located.job]))

    def _places(self) -> Iterator[tuple[State, Place]]:
        """The places in which a job may wait. Places that are usually short come first."""
        for state, name in _SETS.items():
            yield state, set_place(self._redis, name)
        for job_class in listing.parked(self._redis):
            yield "parked", parked_place(self._redis, job_class)
        for queue in listing.queue_names(self._redis):
            yield "enqueued", queue_place(self._redis, queue)

    def _found_in(self, place: Place, end: float) -> FoundJob | None:
        wanted, cursor = JobFilter(frozenset([self.jid])), None
        while True:
            page = place.page(wanted, now=0.0, cursor=cursor, limit=1)
            if page.jobs:
                return page.jobs[0]
            if page.cursor is None:
                return None
            if _monotonic() > end:
                raise SearchIncomplete(self.jid, self._within)
            cursor = page.cursor

    alocate = awaitable(locate)
    ahistory = awaitable(history)
    acancel = awaitable(cancel)
    areschedule = awaitable(reschedule)
    arun_now = awaitable(run_now)


@runtime_checkable
class Cancels(Protocol):
    """A carrier of a test, which keeps the jobs."""

    def cancel(self, jid: str) -> bool:
        """Delete a job; False: it has run, or never was."""


def cancel(jid: str) -> bool:
    """Cancel a job: delete it if it waits, ask it to end if it runs. False: it is done or never was.

    `JobRef(jid).cancel()` with the process's own connection; in tests, a job of `fake()`. Raises JobError,
    SearchIncomplete, StoreUnavailable.
    """
    carrier = client.carrier()
    return carrier.cancel(jid) if isinstance(carrier, Cancels) else JobRef(jid).cancel()


async def acancel(jid: str) -> bool:
    """`cancel` that does not block the event loop."""
    return await asyncio.to_thread(cancel, jid)
