"""Jobs of a place by pages or steps: each reads a bounded number of jobs, however long the place is.

Between two steps other programs may use the place. A caller may stop, or continue later with the cursor. With
shards, pages and steps read one shard after the other; `jobs` merges sorted sets by score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from heapq import merge
from typing import Literal

from clock.errors import InvalidCursor
from clock.inspection.jobs.jobs import FoundJob, JobFilter, found
from clock.store import Redis, keys, listing
from clock.store.jobs import scanning as look_through
from clock.store.jobs.queues import list_size
from clock.store.jobs.scanning import MOST_JOBS, START, Cursor, Seen, Step
from clock.store.server.shards import every

Order = Literal["first", "last"]

PAGE_JOBS = 50  # of a page, unless more are asked for
SCANNED_JOBS = 5_000  # of one page with a filter: some ms of Redis's time, in several steps
EVERY_JOB = JobFilter()

Act = Callable[[Sequence[FoundJob], Step], int]


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs of a place. `cursor` gets the next page (None: this is the last one).

    `searched` is how many jobs were read for it, `total` how many the place holds. With a filter a page may hold
    few jobs, or none, and still not be the last one: a call reads a bounded number of jobs.
    """

    jobs: Sequence[FoundJob]
    cursor: str | None
    searched: int
    total: int


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of an action: `done` jobs of `searched` that were read, of `total` when the last step started.

    `cursor` continues with the next step; None: all jobs were read.
    """

    done: int
    searched: int
    total: int
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """A place of waiting jobs: it is read from a cursor on, and its size is known."""

    name: str
    redis: Redis = field(repr=False)
    read: Callable[[Redis, Cursor, Sequence[str], Order, int], Step] = field(repr=False)  # a step in one shard
    size: Callable[[], int] = field(repr=False)

    def step(self, cursor: Cursor, texts: Sequence[str], order: Order, most: int) -> Step:
        """Read some jobs. After the last job of a shard the next shard is read. Raises StoreUnavailable."""
        places = every(self.redis)
        number = min(cursor.shard, len(places) - 1)
        found = self.read(places[number], cursor, texts, order, most)
        if len(places) == 1:
            return found
        following = found.cursor and replace(found.cursor, shard=number)
        if following is None and number + 1 < len(places):
            following = Cursor(shard=number + 1)
        jobs = [replace(seen, after=replace(seen.after, shard=number)) for seen in found.jobs]
        return replace(found, jobs=jobs, cursor=following)

    def page(
        self,
        wanted: JobFilter = EVERY_JOB,
        *,
        now: float,
        cursor: str | None = None,
        limit: int = PAGE_JOBS,
        order: Order = "first",
        scan: int = SCANNED_JOBS,
    ) -> Page:
        """The next `limit` jobs that match the filter, after reading `scan` jobs at most.

        `order`: "first" starts with the job that is due or claimed next, "last" at the other end. `now` is in
        float seconds. Raises InvalidCursor, StoreUnavailable, StoreError.
        """
        jobs: list[FoundJob] = []
        at: Cursor | None = cursor_of(cursor)
        searched = 0
        while at is not None and len(jobs) < limit and searched < scan:
            most = limit - len(jobs) if wanted.accepts_all else scan - searched
            step = self.step(at, wanted.texts, order, most)
            found_here = list(_meant(step.jobs, wanted, now))
            shown = found_here[: limit - len(jobs)]
            jobs += [job for job, _ in shown]
            at = step.cursor if len(shown) == len(found_here) else shown[-1][1]
            searched += step.read
        return Page(jobs, None if at is None else str(at), searched, self.size())

    def steps(
        self,
        wanted: JobFilter,
        act: Act,
        *,
        now: float,
        order: Order,
        cursor: str | None = None,
        but: float | None = None,
    ) -> Iterator[Progress]:
        """Act on the jobs that match the filter, in steps. Yields the progress after each step.

        `act` takes them out of the place. Jobs with the score `but` are left alone: `act` moves the others there.
        Raises InvalidCursor, StoreUnavailable, StoreError.
        """
        at: Cursor | None = cursor_of(cursor)
        done = searched = 0
        while at is not None:
            total = self.size()
            step = self.step(at, wanted.texts, order, MOST_JOBS)
            jobs = [job for job, _ in _meant(step.jobs, wanted, now) if but is None or job.at != but]
            if jobs:
                done += act(jobs, step)
            at = step.cursor and _without(step.cursor, jobs)
            searched += step.read
            yield Progress(done, searched, total, None if at is None else str(at))

    def jobs(
        self, wanted: JobFilter = EVERY_JOB, *, now: float = 0.0, order: Order = "first"
    ) -> Iterator[FoundJob]:
        """All jobs that match the filter, read step by step while the place is in use.

        With shards, the jobs of all are merged: by score, or in queues by the time since when they have waited.
        Raises StoreUnavailable, StoreError.
        """
        each = [self._jobs_of(number, wanted, now, order) for number in range(len(every(self.redis)))]
        return each[0] if len(each) == 1 else merge(*each, key=_time_of, reverse=order == "last")

    def _jobs_of(self, shard: int, wanted: JobFilter, now: float, order: Order) -> Iterator[FoundJob]:
        at: Cursor | None = replace(START, shard=shard)
        while at is not None and at.shard == shard:
            step = self.step(at, wanted.texts, order, MOST_JOBS)
            yield from (job for job, _ in _meant(step.jobs, wanted, now))
            at = step.cursor


def _time_of(job: FoundJob) -> float:
    return (job.since if job.at is None else job.at) or 0.0


def set_place(redis: Redis, name: str) -> Place:
    """The sorted set `schedule`, `retry` or `dead`."""

    def step(one: Redis, cursor: Cursor, texts: Sequence[str], order: Order, most: int) -> Step:
        return look_through.set_step(one, name, cursor, texts, "lowest" if order == "first" else "highest", most)

    return Place(name, redis, step, lambda: listing.size(redis, name))


def cursors_at(redis: Redis, score: float) -> list[str]:
    """The cursors, one a shard, that start at the jobs of one score, and read few at first: they may be large."""
    return [str(Cursor(repr(score), 0, 4, number)) for number in range(len(every(redis)))]


def queue_place(redis: Redis, name: str) -> Place:
    """The queue of that name."""
    return _list_place(redis, name, keys.queue(name))


def parked_place(redis: Redis, job_class: str) -> Place:
    """The jobs that are parked because no worker knew their class."""
    return _list_place(redis, job_class, keys.PARKED_JOBS + job_class)


def all_places(redis: Redis) -> Iterator[Place]:
    """The places of jobs that wait: the sorted sets, the parked jobs, the queues. Raises StoreUnavailable."""
    yield from (set_place(redis, name) for name in (keys.SCHEDULE, keys.RETRY, keys.DEAD))
    yield from (parked_place(redis, name) for name in listing.parked(redis))
    yield from (queue_place(redis, name) for name in listing.queue_names(redis))


def _list_place(redis: Redis, name: str, key: str) -> Place:
    def step(one: Redis, cursor: Cursor, texts: Sequence[str], order: Order, most: int) -> Step:
        return look_through.list_step(one, key, cursor, texts, "next" if order == "first" else "newest", most)

    return Place(name, redis, step, lambda: sum(list_size(one, key) for one in every(redis)))


def cursor_of(text: str | None) -> Cursor:
    """The cursor of a text that a page gave; None: the start. Raises InvalidCursor."""
    try:
        return START if text is None else Cursor.of(text)
    except ValueError:
        raise InvalidCursor(text) from None


def after_removal(cursor: str, removed: Sequence[FoundJob]) -> str:
    """The cursor of a sorted set once the jobs of the page before it have left the set."""
    return str(_without(cursor_of(cursor), removed))


def _without(cursor: Cursor, removed: Sequence[FoundJob]) -> Cursor:
    """A cursor counts the jobs of one score that were read. Those that have left count no longer."""
    here = [job for job in removed if job.shard == cursor.shard]
    gone = [job for job in here if not cursor.score or job.at == float(cursor.score)]
    return replace(cursor, skip=max(0, cursor.skip - len(gone)))


def _meant(seen: Sequence[Seen], wanted: JobFilter, now: float) -> Iterator[tuple[FoundJob, Cursor]]:
    """The jobs of a step that match, each with the cursor of the job after it."""
    for one in seen:
        job = found(one.member, one.score, one.after.shard)
        if wanted.accepts(job, now=now):
            yield job, one.after
