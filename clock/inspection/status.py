"""Whether everything works, from the data in Redis: clocks, workers, queues, and their problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from clock.errors import StoreError, StoreUnavailable
from clock.inspection.doctor.server import server_faults
from clock.inspection.events.event_rows import OVERDUE, EventRow, events
from clock.inspection.events.schedules import unlisted_rows
from clock.inspection.jobs.busy import BusyJob, busy_jobs
from clock.inspection.jobs.job_sets import QueueView, queues
from clock.inspection.processes import ClockView, WorkerView, all_report, clocks, reported, workers
from clock.inspection.shards import ShardView, shard_views, with_shards_that_answer
from clock.job.encryption import PARKED_UNDER
from clock.job.payload import seconds
from clock.store import Redis, keys, listing
from clock.store.ledger.next_due import look, overdue_problem
from clock.store.listing import Sizes
from clock.store.server.checks.permissions import check_permissions
from clock.store.server.shards import every, names_of
from clock.store.wrong_type import wrong_keys
from clock.timetable import Timetable

SILENT_SECONDS = 30.0  # a worker beats every 5 s, Sidekiq's every 10; others take over a silent one's jobs
STUCK = timedelta(seconds=60)  # the loop runs every second; only one of its long actions delays it
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Status:
    """The state at an instant. `events` is None without a clock file.

    `oldest_undecided` is the event and the instant that the clock must decide first, ahead or overdue. `progress`
    are the running jobs that report theirs. `shards` are the home and its shards, if it has any. `faults` are the
    problems of the server and its keys, `wrong` the keys of a wrong type. `unlisted` is the number of
    events of database rows, which `events` does not have.
    """

    at: datetime
    clocks: Sequence[ClockView]
    workers: Sequence[WorkerView]
    queues: Sequence[QueueView]
    sizes: Sizes
    parked: dict[str, int]
    ledger: int
    events: Sequence[EventRow] | None
    oldest_undecided: tuple[str, datetime] | None
    progress: Sequence[BusyJob] = ()
    faults: Sequence[str] = ()
    wrong: frozenset[str] = frozenset()
    shards: Sequence[ShardView] = ()
    unlisted: int = 0

    @property
    def knows_clocks(self) -> bool:
        """Whether the register of clocks could be read."""
        return keys.CLOCKS not in self.wrong

    @property
    def knows_workers(self) -> bool:
        """Whether the register of workers could be read."""
        return keys.PROCESSES not in self.wrong

    @property
    def overdue(self) -> list[tuple[str, datetime]]:
        """The events that should have fired, and since when; of database rows, only the first one.

        An event that was due before the oldest undecided due instant runs on a thread of the clock.
        """
        oldest = self.oldest_undecided
        found = {
            view.name: view.next_due
            for view in self.events or ()
            if view.next_due and view.is_overdue(self.at) and not (oldest and view.next_due < oldest[1])
        }
        if oldest and self.at - oldest[1] > OVERDUE:
            found.setdefault(*oldest)
        return list(found.items())

    @property
    def problems(self) -> list[str]:
        """The problems in words; empty if all is well."""
        return [*self.faults, *_of_processes(self), *_of_clocks(self), *_of_jobs(self)]


def status(
    redis: Redis, now: datetime, timetable: Timetable | None = None, *, with_progress: bool = True
) -> Status:
    """Look at everything. A part whose key has a wrong type is empty, and `faults` names it.

    Without `with_progress` the running jobs, which may be many, are not read. Raises StoreError.
    """
    shards = shard_views(redis)
    redis = with_shards_that_answer(redis, shards)
    wrong = wrong_keys(redis)
    faults = [*_server_faults(redis), *_faults_of_shards(redis)]
    faults += [f"{key}; rename or delete it" for key in wrong]
    found = Status(
        at=now,
        shards=shards,
        faults=faults,
        wrong=frozenset(key.name for key in wrong),
        clocks=_or([], lambda: clocks(redis, now)),
        workers=workers(redis, seconds(now)),
        queues=queues(redis, seconds(now)),
        progress=[busy for busy in busy_jobs(redis) if busy.progress] if with_progress else [],
        sizes=listing.sizes(redis),
        parked=listing.parked(redis),
        ledger=_or(0, lambda: listing.ledger_size(redis)),
        events=events(redis, timetable, now) if timetable else None,
        oldest_undecided=_oldest_undecided(redis),
        unlisted=_or(0, lambda: unlisted_rows(redis, timetable)) if timetable else 0,
    )
    if faults or all_report(found.clocks, found.workers, now):
        return found
    try:
        check_permissions(redis)
    except StoreError as error:  # clocks and workers may not be able to report
        return replace(found, faults=[str(error)])
    return found


def _or(otherwise: T, look: Callable[[], T]) -> T:
    """Return what `look` returns, or `otherwise` if it meets a key of a wrong type. Raises other StoreErrors."""
    try:
        return look()
    except StoreError as error:
        if error.cause != "wrong_type":
            raise
        return otherwise


def _faults_of_shards(redis: Redis) -> Iterator[str]:
    for name, place in list(zip(names_of(redis), every(redis), strict=False))[1:]:
        yield from (f"shard {name}: {fault}" for fault in _server_faults(place))
        yield from (f"shard {name}: {key}; rename or delete it" for key in wrong_keys(place))


def _server_faults(redis: Redis) -> list[str]:
    try:
        return list(map(str, server_faults(listing.server(redis))))
    except StoreUnavailable:
        raise  # the other parts cannot be read either
    except StoreError as error:
        return [str(error)]


def _oldest_undecided(redis: Redis) -> tuple[str, datetime] | None:
    found = look(redis)
    return None if found.event is None or found.due is None else (found.event, found.due)


def _of_processes(status: Status) -> Iterator[str]:
    has_no_clock = status.knows_clocks and not status.clocks
    has_no_worker = status.knows_workers and not status.workers
    if has_no_clock and has_no_worker:
        yield "no clock and no worker is running"
    elif has_no_clock and status.ledger:
        yield "no clock is running"
    elif has_no_worker and any(queue.size for queue in status.queues):
        yield "no worker is running, and jobs are waiting"
    yield from map(str, reported(status.clocks, status.workers))
    for worker in status.workers:
        if worker.beat_age > SILENT_SECONDS:
            yield f"worker {worker.identity} sent its last heartbeat {worker.beat_age:.0f} s ago"
        elif worker.frozen > SILENT_SECONDS:
            seconds = f"{worker.frozen:.0f} s"
            yield f"worker {worker.identity} has been frozen for {seconds}: a job holds the interpreter lock"


def _of_clocks(status: Status) -> Iterator[str]:
    if status.clocks and not any(clock.leads for clock in status.clocks):
        yield "no clock is the leader"
    for clock in status.clocks:
        if status.at - clock.last_round > STUCK:
            seconds = (status.at - clock.last_round).total_seconds()
            yield f"clock {clock.identity} is stuck: its last tick was {seconds:.0f} s ago"
    for name, due in status.overdue:
        yield overdue_problem(name, (status.at - due).total_seconds())


def _of_jobs(status: Status) -> Iterator[str]:
    for shard in status.shards:
        if status.workers or shard.fault:
            yield from shard.problems
    taken = {name for worker in status.workers if not worker.quiet for name in worker.queues}
    for queue in status.queues:
        if queue.problem:
            yield queue.problem
        if queue.size and status.workers and queue.name not in taken and not status.shards:
            waiting = f"jobs waiting: {queue.size}; start a worker: clock worker -q {queue.name}"
            yield f"no worker processes the queue {queue.name!r} ({waiting})"
    for name, count in status.parked.items():
        lack, what = ("encryption key", name.removeprefix(PARKED_UNDER))
        if what == name:
            lack = "class"
        yield f"jobs are parked, because no worker has their {lack}: {what} ({count})"
