"""Reads queues and sorted sets in bounded steps. A later step can continue at the end of the last one.

A sorted set is read by score, so jobs that leave or join elsewhere neither hide nor repeat other jobs. A queue is
read from one end, by index. From the right, a later step misses as many jobs as workers have taken; from the left,
it reads as many again as were pushed. `sampled` reads a part of a place, spread evenly over it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from redis import Redis
from redis.exceptions import ResponseError

from clock.store.jobs.steps import STEP_BYTES, PageSize
from clock.store.scripts import run
from clock.store.server.connection import translated

MOST_JOBS = 1_000  # of one step: about a ms of Redis's time
ANY_CASE_JOBS = 400  # of one step that compares texts in upper and lower case
FIRST_JOBS = 64  # of the first step: their sizes are not known yet
PAGE_JOBS = 100  # of a sample

Order = Literal["lowest", "highest"]
End = Literal["next", "newest"]
Kind = Literal["list", "zset"]


#: A score that Redis reads, a place and a number of jobs; Redis counts in 64 bits.
_CURSOR = re.compile(
    r"(?:[0-9]{1,2}/)?(?:[-+]?(?:inf|[0-9.]{1,25}(?:e[-+]?[0-9]{1,3})?))?:[0-9]{1,15}:[0-9]{1,15}"
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The start of the next step: in a sorted set after `skip` members of `score`, in a queue at index `skip`.

    `jobs` is how many the next step reads. `shard` is the number of the place that it reads; the home's is 0.
    """

    score: str = ""
    skip: int = 0
    jobs: int = FIRST_JOBS
    shard: int = 0

    def __str__(self) -> str:
        return f"{f'{self.shard}/' if self.shard else ''}{self.score}:{self.skip}:{self.jobs}"

    @classmethod
    def of(cls, text: str) -> Cursor:
        """The cursor in a text that `str` wrote. Raises ValueError."""
        if not _CURSOR.fullmatch(text):
            raise ValueError(text)
        shard, slash, rest = text.rpartition("/")
        score, skip, jobs = rest.split(":")
        if score:
            float(score)
        return cls(score, int(skip), min(max(int(jobs), 1), MOST_JOBS), int(shard) if slash else 0)


START = Cursor()


@dataclass(frozen=True, slots=True)
class Seen:
    """A payload, its score in float seconds (None in a queue), and the cursor of the job after it."""

    member: bytes
    score: float | None
    after: Cursor


@dataclass(frozen=True, slots=True)
class Step:
    """The result of one step: `jobs` are those that hold the texts, `read` is the number of jobs that were read.

    `cursor` is the start of the next step (None: all was read), `begin` the index or rank of this step.
    """

    jobs: Sequence[Seen]
    read: int
    cursor: Cursor | None
    begin: int


def set_step(
    redis: Redis, where: str, cursor: Cursor, texts: Sequence[str], order: Order, most: int = MOST_JOBS
) -> Step:
    """Read on in `schedule`, `retry` or `dead`, `most` jobs at most. Raises StoreUnavailable, StoreError."""
    rank, jobs = cursor.skip, _jobs(cursor, texts, most)
    if cursor.score:
        low, high = ("-inf", f"({cursor.score}") if order == "lowest" else (f"({cursor.score}", "+inf")
        with translated():
            rank += int(redis.zcount(where, low, high))
    part = _read(redis, where, "zset" if order == "lowest" else "zrevset", rank, rank + jobs - 1, texts)

    def after(read: int, score: str, alike: int) -> Cursor:
        goes_on = alike == read and score == cursor.score
        return Cursor(score, alike + (cursor.skip if goes_on else 0), part.fitting(cursor))

    seen = [Seen(member, float(score), after(read, score, alike)) for member, score, read, alike in part.hits]
    return Step(seen, part.read, after(part.read, part.score, part.alike) if part.read == jobs else None, rank)


def list_step(
    redis: Redis, key: str, cursor: Cursor, texts: Sequence[str], end: End, most: int = MOST_JOBS
) -> Step:
    """Read on in a list of jobs, from the job that a worker takes next, or from the newest.

    Raises StoreUnavailable, StoreError.
    """
    jobs, first = _jobs(cursor, texts, most), cursor.skip
    last = first + jobs - 1
    is_next = end == "next"
    part = _read(redis, key, "list", *((-1 - last, -1 - first) if is_next else (first, last)), texts)

    def after(read: int) -> Cursor:
        return Cursor(skip=first + read, jobs=part.fitting(cursor))

    found = [(member, read) for member, _, read, _ in part.hits]
    if is_next:  # the script counts from the left, and this step ends there
        found = [(member, part.read - read + 1) for member, read in reversed(found)]
    seen = [Seen(member, None, after(read)) for member, read in found]
    return Step(seen, part.read, after(part.read) if part.read == jobs else None, first)


def _jobs(cursor: Cursor, texts: Sequence[str], most: int) -> int:
    """How many jobs a step reads: fewer if Redis must compare them in upper and lower case."""
    limit = ANY_CASE_JOBS if any(text.startswith("~") for text in texts) else MOST_JOBS
    return min(cursor.jobs, most, limit)


class _Part(NamedTuple):
    """The script's reply. `hits`: member, score, how many were read up to it, how many of them share its score."""

    read: int
    largest: int
    score: str
    alike: int
    hits: Sequence[tuple[bytes, str, int, int]]

    def fitting(self, cursor: Cursor) -> int:
        """How many jobs like these the next step may read."""
        return max(1, min(MOST_JOBS, 4 * cursor.jobs, STEP_BYTES // (self.largest or 1)))


def _read(redis: Redis, key: str, kind: str, first: int, last: int, texts: Sequence[str]) -> _Part:
    read, largest, score, alike, *found = run(redis, "look_through", [key], [kind, first, last, *texts])
    hits = [
        (member, at.decode(), int(place), int(run))
        for member, at, place, run in zip(found[::4], found[1::4], found[2::4], found[3::4], strict=True)
    ]
    return _Part(int(read), int(largest), score.decode(), int(alike), hits)


def size(redis: Redis, key: str, kind: Kind) -> int:
    """The number of jobs of a list or sorted set; 0 if the key has another type. Raises StoreUnavailable."""
    with translated():
        try:
            return int(redis.llen(key) if kind == "list" else redis.zcard(key))
        except ResponseError:
            return 0


def sampled(redis: Redis, key: str, kind: Kind, total: int, most: int) -> Iterator[bytes]:
    """About `most` of the `total` jobs, or all if they are fewer. Raises StoreUnavailable."""
    first, pages = 0, PageSize(PAGE_JOBS)
    while first < total:
        wanted = pages.jobs
        with translated():
            found: Any = (redis.lrange if kind == "list" else redis.zrange)(key, first, first + wanted - 1)
        if not found:
            return
        yield from found
        pages.note(found)
        first += max(len(found), len(found) * total // most)
