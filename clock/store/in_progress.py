"""Jobs in progress: what a worker has claimed and not finished, in a hash of its own in Redis.

A claimed job leaves its queue and enters the hash in one step, and leaves the hash in one step with what becomes
of it. So a worker that dies loses nothing: others find its jobs there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from redis import Redis
from redis.exceptions import NoScriptError

from clock.errors import StoreError
from clock.store import keys
from clock.store.arrivals import Wait
from clock.store.connection import Command, translated
from clock.store.scripts import script

DEAD_SECONDS = 180 * 24 * 3600  # dead jobs are kept for 180 days, as Sidekiq's
DEAD_LIMIT = 10_000  # and so many of them at most


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job in progress: its number in the worker's hash, the queue that it came from, its payload as it is."""

    number: int
    queue: str
    payload: bytes

    @property
    def entry(self) -> bytes:
        """What the hash holds."""
        return self.queue.encode() + b"\n" + self.payload


@dataclass(frozen=True, slots=True)
class Ahead:
    """A claim that is sent before there are jobs: what is waited on, the number of the first job, the command."""

    waits_on: Sequence[str]
    first: int
    command: Command


@dataclass(frozen=True, slots=True)
class Move:
    """Where a job in progress goes: `queue` name, `dead` at a score, or `parked` under a class's name."""

    job: Claimed
    where: Literal["queue", "dead", "parked"]
    name: str | float
    payload: bytes | str


class InProgress:
    """The jobs in progress of one worker."""

    def __init__(self, redis: Redis, identity: str) -> None:
        self._redis = redis
        self._identity = identity
        self._hash = keys.IN_PROGRESS + identity
        self._running = keys.RUNNING + identity
        self._next_number = 1
        self._wait = Wait(redis)
        self._claim = script(redis, "claim")
        self._set_aside = script(redis, "set_aside")
        self._put_back = script(redis, "put_back")

    def claim(
        self, queues: Sequence[str], limit: int, *, done: Sequence[int], today: str, expires_ms: int
    ) -> list[Claimed]:
        """Acknowledge the jobs numbered `done`, and claim up to `limit` from `queues`, in their order.

        `today` is the day (UTC, YYYY-MM-DD) under which the done ones are counted; `expires_ms` is when this
        worker may be taken for dead if it is not heard of (milliseconds since 1970). Raises StoreUnavailable; the
        jobs may have been claimed then, and `all` finds them.
        """
        first, names, args = self._claim_words(queues, limit, done=done, today=today, expires_ms=expires_ms)
        with translated():
            entries = self._claim(keys=names, args=args)
        return [_claimed(first + index, entry) for index, entry in enumerate(entries)]

    def ahead(
        self, queues: Sequence[str], limit: int, *, waits_on: Sequence[str], today: str, expires_ms: int
    ) -> Ahead:
        """A claim of up to `limit` jobs, to be made when there are some in `waits_on`; see `claim`."""
        first, names, args = self._claim_words(queues, limit, done=(), today=today, expires_ms=expires_ms)
        return Ahead(waits_on, first, ("EVALSHA", self._claim.sha, len(names), *names, *args))

    def claim_on_arrival(self, ahead: Ahead, seconds: float) -> list[Claimed]:
        """Wait until one of the queues holds a job, for `seconds` at most, and claim.

        Other threads may claim meanwhile. Raises StoreUnavailable; the jobs may have been claimed then, and `all`
        finds them.
        """
        try:
            entries = self._wait.then(ahead.command, ahead.waits_on, seconds)
        except StoreError as error:
            if not isinstance(error.__cause__, NoScriptError):
                raise
            with translated():
                self._redis.script_load(self._claim.script)  # Redis was restarted; the next wait finds it
            return []
        return [_claimed(ahead.first + index, entry) for index, entry in enumerate(entries)]

    def end_wait(self) -> None:
        """Let `claim_on_arrival`, in another thread, claim what there is and return. Raises StoreUnavailable."""
        self._wait.end()

    def _claim_words(
        self, queues: Sequence[str], limit: int, *, done: Sequence[int], today: str, expires_ms: int
    ) -> tuple[int, list[str], list[str | int]]:
        """The number of the first job, and the script's keys and arguments."""
        first = self._next_number
        self._next_number += limit
        counted = [keys.STAT_PROCESSED, f"{keys.STAT_PROCESSED}:{today}"]
        names = [self._hash, *counted, keys.WORKERS, *map(keys.queue, queues)]
        return first, names, [limit, first, self._identity, expires_ms, len(done), *done, *queues]

    def set_aside(
        self, job: Claimed, payload: str, *, where: str, score: float, today: str, ran: bool = True
    ) -> bool:
        """Move a job to `retry` or `dead`, or drop it (where ''); False: others have it now.

        Raises StoreUnavailable; it may be called again then.
        """
        trims = where == keys.DEAD
        with translated():
            return bool(
                self._set_aside(
                    keys=[
                        self._hash,
                        where,
                        keys.STAT_PROCESSED,
                        f"{keys.STAT_PROCESSED}:{today}",
                        keys.STAT_FAILED,
                        f"{keys.STAT_FAILED}:{today}",
                    ],
                    args=[
                        job.number,
                        payload,
                        score,
                        score - DEAD_SECONDS if trims else "",
                        DEAD_LIMIT,
                        int(ran),
                    ],
                )
            )

    def put_back(self, moves: Iterable[Move], *, if_dead_at_ms: int | None = None) -> int:
        """Move jobs elsewhere, in this order; how many were still in progress. Raises StoreUnavailable.

        `if_dead_at_ms`, milliseconds since 1970: none is moved if the worker's heartbeat has not expired by then.
        """
        asked = "" if if_dead_at_ms is None else if_dead_at_ms
        args: list[bytes | str | int | float] = [DEAD_LIMIT, self._identity, asked]
        for move in moves:
            args += [move.job.number, move.job.entry, move.where, move.name, move.payload]
        if len(args) == 3:
            return 0
        with translated():
            return int(
                self._put_back(
                    keys=[
                        self._hash,
                        keys.QUEUE,
                        keys.QUEUES,
                        keys.DEAD,
                        keys.PARKED_JOBS,
                        keys.PARKED,
                        keys.WORKERS,
                    ],
                    args=args,
                )
            )

    def mark(self, job: Claimed) -> None:
        """Note that this job, with which a worker has died before, runs now. Raises StoreUnavailable."""
        with translated():
            self._redis.hset(self._running, str(job.number), 1)

    def unmark(self, job: Claimed) -> None:
        """Take the note back. Raises StoreUnavailable."""
        with translated():
            self._redis.hdel(self._running, str(job.number))

    def marked(self) -> set[int]:
        """The numbers of the jobs noted as running. Raises StoreUnavailable."""
        with translated():
            numbers: Any = self._redis.hkeys(self._running)
        return {int(number) for number in numbers}

    def all(self) -> list[Claimed]:
        """All jobs in progress, oldest first. Raises StoreUnavailable."""
        with translated():
            entries: Any = self._redis.hgetall(self._hash)
        return [_claimed(int(number), entries[number]) for number in sorted(entries, key=int)]


def _claimed(number: int, entry: bytes) -> Claimed:
    queue, _, payload = entry.partition(b"\n")
    return Claimed(number, queue.decode(errors="replace"), payload)


def day(now: datetime) -> str:
    """The day of Sidekiq's counters.

    >>> from datetime import UTC
    >>> day(datetime(2026, 11, 24, tzinfo=UTC))
    '2026-11-24'
    """
    return now.strftime("%Y-%m-%d")
