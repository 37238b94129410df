"""Finding out whether jobs are still anywhere in Redis, by bounded steps.

Redis has no index of jobs by jid. So a search goes through all places in the order in which a job passes through
them: `schedule` and `retry`, blocked and parked jobs, queues, jobs in progress. A job that moves on during the
search is met in a later place. A job can also go back, when its worker stops; so it counts as gone only after two
searches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import islice
from typing import Any

from redis import Redis

from clock.store import keys
from clock.store.scripts import run
from clock.store.wrong_type import readings

STEPS_PER_SECOND = 8  # each takes a few ms of Redis's time, and the clock waits for it
MOST_JIDS = 1_000  # looked for at once; the others wait for the next search
ONE_SEARCH_MS = 1_000  # jobs that entered their queues within this are looked for in one search
SEARCHES = 2  # without a trace of a job, before it counts as gone


class Found(Enum):
    """The result of a search for a job."""

    DELAYED = auto()
    WAITS_OR_RUNS = auto()
    HELD_BY_DEAD_WORKER = auto()
    GONE = auto()


Place = tuple[bytes, str, Found]  # key, kind, and what it means if a job is found there
Span = tuple[int, int]  # when a job may have entered its queue: from, to (ms since 1970)


@dataclass(slots=True)
class _Search:
    """One search through all places. `place` and its `begin` are the position of the next step."""

    jobs: Mapping[bytes, Span]
    places: Sequence[Place]
    place: int = 0
    begin: int = -1
    found: set[bytes] = field(default_factory=set)
    left_out: bool = False  # whether something was too large to be read


class JobSearch:
    """Looks for jobs, a few steps at a time."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._wanted: dict[bytes, Span] = {}
        self._misses: dict[bytes, int] = {}  # jid -> how many searches have found no trace of it
        self._search: _Search | None = None
        self._second, self._steps = 0, 0  # how many steps were made in which second

    def want(self, jid: bytes, span: Span) -> None:
        """Look for this job, too."""
        self._wanted[jid] = span

    def forget(self, jid: bytes) -> None:
        """Look for this job no longer."""
        self._wanted.pop(jid, None)
        self._misses.pop(jid, None)

    def go_on(self, now_ms: int) -> Iterator[tuple[bytes, Found]]:
        """Make some steps, few in each second. Returns their results. Raises StoreUnavailable."""
        while self._wanted and self._may_step(now_ms):
            search = self._search = self._search or self._begin(now_ms)
            yield from self._made_step(search)
            if search.place >= len(search.places):
                self._search = None
                yield from self._ended(search)

    def _may_step(self, now_ms: int) -> bool:
        if now_ms // 1000 != self._second:
            self._second, self._steps = now_ms // 1000, 0
        self._steps += 1
        return self._steps <= STEPS_PER_SECOND

    def _begin(self, now_ms: int) -> _Search:
        """Start with the jobs that may have entered their queues first; jobs of one instant are neighbours."""
        first = min(self._wanted.values())[0]
        pushed_then = (item for item in self._wanted.items() if item[1][0] <= first + ONE_SEARCH_MS)
        return _Search(dict(islice(pushed_then, MOST_JIDS)), _places(self._redis, now_ms))

    def _made_step(self, search: _Search) -> Iterator[tuple[bytes, Found]]:
        places = search.places[search.place :]
        earliest = min(begin for begin, _ in search.jobs.values())
        latest = max(end for _, end in search.jobs.values())
        kinds = [kind for _, kind, _ in places]
        args = [search.begin, earliest / 1000, latest / 1000, len(kinds), *kinds, *search.jobs]
        reply = run(self._redis, "look_for_jobs", [key for key, _, _ in places], args)
        place, search.begin, too_large, *pairs = reply
        for jid, number in zip(pairs[::2], pairs[1::2], strict=True):
            search.found.add(jid)
            if jid in self._wanted:
                self.forget(jid)
                yield jid, places[number - 1][2]
        search.place += place - 1
        search.left_out |= bool(too_large)

    def _ended(self, search: _Search) -> Iterator[tuple[bytes, Found]]:
        for jid in search.jobs.keys() - search.found:
            if jid not in self._wanted:
                continue
            self._misses[jid] = self._misses.get(jid, 0) + 1
            if search.left_out or self._misses[jid] >= SEARCHES:
                self.forget(jid)
                yield jid, Found.WAITS_OR_RUNS if search.left_out else Found.GONE


def _places(redis: Redis, now_ms: int) -> list[Place]:
    """All places that a job may be in, in the order in which it moves through them."""
    replies = readings(
        redis,
        lambda pipe: [
            *map(pipe.smembers, (keys.PARKED, keys.QUEUES, keys.PROCESSES)),
            pipe.zrange(keys.WORKERS, 0, -1, withscores=True),
        ],
    )
    parked, queues, processes, workers = (reply or () for reply in replies)
    ours: Any = dict(workers)
    states = (Found.HELD_BY_DEAD_WORKER, Found.WAITS_OR_RUNS)
    return [
        (keys.SCHEDULE.encode(), "zset", Found.DELAYED),
        (keys.RETRY.encode(), "retry", Found.DELAYED),
        (keys.BLOCKED.encode(), "zset", Found.WAITS_OR_RUNS),
        (keys.FREED.encode(), "zset", Found.WAITS_OR_RUNS),
        *((keys.PARKED_JOBS.encode() + name, "list", Found.DELAYED) for name in parked),
        *((keys.QUEUE.encode() + name, "queue", Found.WAITS_OR_RUNS) for name in queues),
        *(
            (keys.IN_PROGRESS.encode() + name, "hash", states[expires >= now_ms])
            for name, expires in sorted(ours.items(), key=lambda worker: worker[1], reverse=True)
        ),
        *((name + b":work", "busy", Found.WAITS_OR_RUNS) for name in processes if name not in ours),
    ]
