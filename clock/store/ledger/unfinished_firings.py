"""Which firings of an event have jobs that have not ended.

The fire script writes the jobs of an event with `.overlap()` into a hash, and workers delete each job that has
ended. The clock trusts that hash. A job is searched for only if it has been there for `TRUSTED_MS`: its worker may
have died, or another program may have run or removed it. A search takes bounded steps, however long the queues
are; until it has ended, the job counts as unfinished.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

from clock.errors import StoreError, StoreUnavailable
from clock.store import keys
from clock.store.invalid_values import number, text
from clock.store.jobs.job_search import Found, JobSearch, Span
from clock.store.ledger import history
from clock.store.server.connection import translated
from clock.store.wrong_type import readings

TRUSTED_MS = 60_000  # after its due instant, or after it was last seen, a job is looked for

LONGEST_SCORE = 25  # characters of a time in seconds

logger = logging.getLogger("clock.clock")


@dataclass(slots=True)
class _Job:
    """A job of a firing: when the firing was due, when the job was seen first and last, and whether it continues.

    `first_ms` is when it was seen first, or when it was committed, if that is known. `moved`: it was delayed or
    retried, so it may enter its queue at any time; `score` is its score in `retry`.
    """

    due_ms: int
    first_ms: int
    seen_ms: int
    moved: bool = False
    score: bytes = b""
    goes_on: bool = True
    asked: bool = False  # whether its commit was looked up

    def span(self, now_ms: int) -> Span:
        """When it may have entered its queue."""
        if self.score:
            return round(float(self.score) * 1000), now_ms
        return self.due_ms, now_ms if self.moved else self.first_ms


class Unfinished:
    """Counts the firings of events that have not ended, and forgets jobs that are gone."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._search = JobSearch(redis)
        self._events: dict[str, dict[bytes, _Job]] = {}
        self._unreadable: set[str] = set()  # events whose hash has a wrong type; each is logged once

    def count(self, event: str, now_ms: int) -> int:
        """How many firings of the event have a job that has not ended. Raises StoreUnavailable."""
        self._read(event, now_ms)
        jobs = self._events[event]
        stale = {jid: job for jid, job in jobs.items() if now_ms - job.seen_ms >= TRUSTED_MS}
        for jid in self._waiting_for_retry(stale):
            self._note(jid, Found.DELAYED, now_ms)
            del stale[jid]
        if stale:
            self._learn_commits(event, stale.values())
        for jid, job in stale.items():
            self._search.want(jid, job.span(now_ms))
        for jid, found in self._search.go_on(now_ms):
            self._note(jid, found, now_ms)
        return len({job.due_ms for job in jobs.values() if job.goes_on})

    def _learn_commits(self, event: str, jobs: Collection[_Job]) -> None:
        """Learn from the history when jobs were pushed: this narrows down their positions in a long queue."""
        if all(job.asked for job in jobs):
            return
        try:
            committed = history.committed_at(self._redis, event)
        except StoreUnavailable:
            raise
        except StoreError:  # the history has a wrong type
            committed = {}
        for job in jobs:
            job.asked = True
            job.first_ms = min(job.first_ms, committed.get(job.due_ms, job.first_ms))

    def _waiting_for_retry(self, jobs: Mapping[bytes, _Job]) -> list[bytes]:
        """The jobs that are in `retry` under the score that a worker has noted."""
        retried = {jid: job.score for jid, job in jobs.items() if job.score}
        if not retried:
            return []
        scores = [score.decode() for score in retried.values()]
        counts = readings(self._redis, lambda pipe: [pipe.zcount(keys.RETRY, score, score) for score in scores])
        return [jid for jid, count in zip(retried, counts, strict=True) if count]

    def _read(self, event: str, now_ms: int) -> None:
        """Read the event's hash, and keep the known data of its jobs."""
        watched, before = self._watched(event), self._events.get(event, {})
        for jid in before.keys() - watched.keys():
            self._search.forget(jid)
        jobs = self._events[event] = {}
        for jid, value in watched.items():
            due_ms = number(value.partition(b" ")[0])
            job = jobs[jid] = before.get(jid) or _Job(due_ms, now_ms, due_ms)
            job.score = _score(value)
            job.moved |= job.score != b""

    def _watched(self, event: str) -> dict[bytes, bytes]:
        try:
            with translated():
                found: Any = self._redis.hgetall(keys.WATCHED + event)
        except StoreUnavailable:
            raise
        except StoreError as error:
            if event not in self._unreadable:
                logger.error("The unfinished jobs of %r cannot be read and are ignored: %s", event, error)
                self._unreadable.add(event)
            return {}
        return dict(found)

    def _note(self, jid: bytes, found: Found, now_ms: int) -> None:
        for event, jobs in self._events.items():  # pragma: no branch  # a job that is searched is in one of them
            job = jobs.get(jid)
            if job is None:
                continue
            job.goes_on = found in (Found.DELAYED, Found.WAITS_OR_RUNS)
            job.seen_ms = now_ms if job.goes_on else job.due_ms
            job.moved |= found is not Found.WAITS_OR_RUNS
            if found is Found.GONE:
                del jobs[jid]
                words = "Job %s of %r is no longer in Redis and no longer blocks the event"
                logger.info(words, text(jid), event)
                with translated():
                    self._redis.hdel(keys.WATCHED + event, jid)
            return


def _score(value: bytes) -> bytes:
    """The score in `retry` that a worker has noted behind the due instant; empty: none, or no number."""
    score = value.partition(b" ")[2]
    return score if len(score) < LONGEST_SCORE and score.replace(b".", b"", 1).isdigit() else b""
