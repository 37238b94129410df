"""Jobs in progress: those that a worker has claimed and not finished. Each worker has a hash of them in Redis.

A claimed job moves from its queue into the hash in one step, and from there to its next place in one step. So a
worker that dies loses nothing: other workers find its jobs there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError

from clock.clocks import to_ms
from clock.errors import StoreError
from clock.problems import Problems
from clock.store import keys
from clock.store.jobs import cancellations
from clock.store.jobs.blocking_wait import BlockingWait
from clock.store.jobs.dead import DEFAULT_LIMITS, DeadLimits, trim
from clock.store.jobs.flow.batches import BatchErrors
from clock.store.jobs.flow.unique_locks import Lock, push_kept_out
from clock.store.jobs.moves import CannotMove, Claimed, Move, limits_if_any, limits_text
from clock.store.jobs.results import NOTHING_ELSE, Ending, Kept
from clock.store.jobs.steps import in_steps
from clock.store.ledger.held_pushes import Push, unique_pushes
from clock.store.scripts import run, script
from clock.store.server.connection import translated
from clock.store.server.sending import Command

LONGEST_NUMBER = 19  # digits; a number of ours has fewer

#: The number of an acknowledged job, the key of the lock that it frees, and its jid (for both: `HAS_FOLLOWERS`).
Freed = tuple[int, str, str]
#: The numbers of acknowledged jobs that have limits, by the start of their payloads (`Claimed.limits`).
Limited = dict[bytes, list[int]]

logger = logging.getLogger("clock.redis")


class InProgress:
    """The jobs in progress of one worker. Its methods raise StoreUnavailable."""

    def __init__(
        self,
        redis: Redis,
        identity: str,
        dead: DeadLimits = DEFAULT_LIMITS,
        *,
        problems: Problems | None = None,
        counts_by_redis_time: bool = True,
    ) -> None:
        """`counts_by_redis_time`: rates do; False: by the `now` of claims, as tests simulate time."""
        self._redis = redis
        self._counts_by_redis_time = counts_by_redis_time
        self._dead = dead
        self._identity = identity
        self._hash = keys.IN_PROGRESS + identity
        self._running = keys.RUNNING + identity
        self._lock = threading.Lock()
        self._next_number = 1  # guarded by _lock
        self.paused: frozenset[str] = frozenset()  # those of the queues of the last claim from which none is taken
        self.some_are_cancelled = False  # whether there were cancelled jobs at the last claim
        self._wait = BlockingWait(redis)
        self._batch_errors = BatchErrors(redis, problems)

    def claim(
        self,
        queues: Sequence[str],
        limit: int,
        *,
        done: Sequence[int],
        frees: Sequence[Freed] = (),
        limited: Limited | None = None,
        now: datetime,
        expires_seconds: float,
    ) -> list[Claimed]:
        """Acknowledge the jobs `done` and `limited`, and claim up to `limit` from `queues`, in their order.

        `limited` are those that have limits. `frees` are the locks of those that are unique, and those whose end
        pushes other jobs.
        Others may take this worker for dead if it is silent for `expires_seconds` from `now` on. Raises
        StoreUnavailable; the jobs may have been claimed then, and `all` finds them.
        """
        first, names, args = self._claim_words(queues, limit, (done, frees, limited or {}), now, expires_seconds)
        return self._read(first, run(self._redis, "claim", names, args), was_asked=limit > 0)

    def claim_on_arrival(
        self,
        queues: Sequence[str],
        limit: int,
        *,
        waits_on: Sequence[str],
        seconds: float,
        now: datetime,
        expires_seconds: float,
    ) -> list[Claimed]:
        """Wait until one of `waits_on` that is not paused holds a job, for `seconds` at most, and claim.

        The claim is sent along with the wait. Other threads may claim at the same time. Raises StoreUnavailable;
        the jobs may have been claimed then, and `all` finds them.
        """
        first, names, args = self._claim_words(queues, limit, ((), (), {}), now, expires_seconds)
        command: Command = ("EVALSHA", script("claim").sha, len(names), *names, *args)
        watched = [keys.queue(queue) for queue in waits_on if queue not in self.paused]
        try:
            entries = self._wait.then(command, watched or [keys.NOTHING], seconds)
        except StoreError as error:
            if not isinstance(error.__cause__, NoScriptError):
                raise
            with translated():
                self._redis.script_load(script("claim").script)  # Redis was restarted; the next wait finds it
            return []
        return self._read(first, entries, was_asked=True)

    def _read(self, first: int, entries: list[bytes], *, was_asked: bool) -> list[Claimed]:
        """The claimed jobs of a reply of the claim script; notes which queues are paused, and logs an error."""
        runs = entries.pop().split() if entries and entries[-1].startswith(b"\n\n\n\n") else []
        if entries and entries[-1].startswith(b"\n\n\n"):
            self._batch_errors.report(entries.pop()[3:])
        if was_asked:
            paused = []
            while entries and entries[-1].startswith(b"\n") and entries[-1] != b"\n\n":
                paused.append(entries.pop()[1:].decode(errors="replace"))
            self.some_are_cancelled = bool(entries) and entries[-1] == b"\n\n"
            if self.some_are_cancelled:
                entries.pop()
            if paused or self.paused:
                self.paused = frozenset(paused)
        if runs:
            return _with_limits(first, entries, list(map(int, runs)))
        return [_claimed(first + place, entry) for place, entry in enumerate(entries)]

    def end_wait(self) -> None:
        """Make `claim_on_arrival`, in another thread, claim the jobs that are there and return."""
        self._wait.end()

    def _claim_words(
        self,
        queues: Sequence[str],
        limit: int,
        acknowledged: tuple[Sequence[int], Sequence[Freed], Limited],
        now: datetime,
        expires_seconds: float,
    ) -> tuple[int, list[str], list[bytes | str | int]]:
        """The number of the first job, and the script's keys and arguments."""
        with self._lock:
            first = self._next_number
            self._next_number += limit
        done, frees, limited = acknowledged
        shared = (keys.WORKERS, keys.PAUSED_QUEUES, keys.CANCELLED, *keys.LOCK_KEYS)
        followed = keys.BATCH_KEYS if any(key == "" for _, key, _ in frees) else ()
        rules = (*keys.LIMIT_KEYS, *keys.RATE_KEYS, keys.OVERLAPS)
        names = [self._hash, *_counters(now), *shared, *rules, *map(keys.queue, queues), *followed]
        expires_ms = to_ms(now) + int(expires_seconds * 1000)
        freed = [word for number, key, jid in frees for word in (number, key, jid if key else to_ms(now))]
        args: list[bytes | str | int] = [limit, first, self._identity, expires_ms]
        args += [len(done), *done, len(frees), *freed, len(limited)]
        for text, numbers in limited.items():
            args += (text, len(numbers), *numbers)
        return first, names, [*args, self._rate_time(now), *queues]

    def set_aside(
        self,
        job: Claimed,
        payload: str,
        *,
        where: str,
        score: float,
        now: datetime,
        ran: bool = True,
        ending: Ending = NOTHING_ELSE,
    ) -> bool:
        """Move a job to `retry` or `dead`, or drop it (`where` is empty); False: other workers have it now.

        `ending`: what the script also writes if the job has ended. Raises StoreUnavailable; may be called again.
        """
        names = [self._hash, where or self._hash, *_counters(now), *_counters(now, keys.STAT_FAILED)]
        names += [*keys.LOCK_KEYS, *keys.BATCH_KEYS, *keys.LIMIT_KEYS, *([ending.kept.key] if ending.kept else [])]
        args = [job.number, payload, score, int(where != ""), int(ran)]
        args += [*(ending.lock or ("", "")), ending.how, to_ms(now), int(job.limits is not None)]
        args += ending.kept.words if ending.kept else []
        moved = bool(run(self._redis, "set_aside", names, args))
        if where == keys.DEAD:
            self._trim_dead(score)
        return moved

    def finish(self, job: Claimed, ending: Ending, *, now: datetime) -> bool:
        """Acknowledge a job with all that its end causes; False: others have it now. It may be called again."""
        kept = ending.kept or Kept("", 0, {})
        names = [self._hash, *_counters(now), kept.key, *keys.LOCK_KEYS, *keys.BATCH_KEYS, *keys.LIMIT_KEYS]
        ttl, *fields = kept.words
        args = [job.number, *(ending.lock or ("", "")), ttl, to_ms(now), ending.how, *fields]
        return bool(run(self._redis, "finish", names, args))

    def begin_unique(self, job: Claimed, field: tuple[str, str], *, until_start: bool) -> bool:
        """Start a unique job: free its lock (key, jid) if it lasts until then. False: the job was replaced."""
        args = [*field, int(until_start), job.number]
        return bool(run(self._redis, "begin_unique", [*keys.LOCK_KEYS, self._hash], args))

    def hold_rates(self, jid: str, names: Sequence[str], seconds: float, *, now: datetime) -> float:
        """Hold back the jobs of these rates for so long; when that is over, in float seconds since 1970."""
        args = [int(seconds * 1000), self._rate_time(now), jid, *names]
        return float(run(self._redis, "hold_rates", [keys.RATES, keys.RATE_SLOTS], args)) / 1000

    def _rate_time(self, now: datetime) -> int | str:
        """The time by which rates and windows count, as a script receives it."""
        return "" if self._counts_by_redis_time else to_ms(now)

    def is_cancelled(self, jid: str, *, now: datetime) -> bool:
        """Whether a claimed job was cancelled."""
        return self.some_are_cancelled and cancellations.is_marked(self._redis, jid, now=now)

    def forget_cancellation(self, jid: str) -> None:
        """Remove the mark of a job that has ended."""
        cancellations.unmark(self._redis, jid)

    def _trim_dead(self, now: float) -> None:
        removed = trim(self._redis, self._dead, now)
        if removed.count:
            logger.warning("%s", self._dead.words(removed))

    def put_back(self, moves: Iterable[Move], *, if_dead_at: datetime | None = None) -> int:
        """Move jobs elsewhere, in this order and in short steps; how many were still in progress.

        `if_dead_at`: none is moved if the worker's heartbeat has not expired by then.
        Raises CannotMove if a key that some go to has a wrong type; the others have been moved then.
        """
        asked = "" if if_dead_at is None else to_ms(if_dead_at)
        moved, stuck = 0, CannotMove()
        for step in in_steps(moves, lambda move: len(move.payload)):
            moved += self._move(step, asked, stuck)
        if stuck.moves:
            raise stuck
        return moved

    def _move(self, step: Sequence[Move], asked: int | str, stuck: CannotMove) -> int:
        args: list[bytes | str | int | float] = [self._identity, asked]
        for move in step:
            args += [move.field or str(move.job.number), move.where, move.name, move.payload]
            args += move.lock or ("", "")
        names = [self._hash, keys.QUEUES, keys.PARKED, keys.WORKERS, *keys.BATCH_KEYS, *keys.LIMIT_KEYS]
        names += [*keys.LOCK_KEYS, *(move.target for move in step)]
        moved, error, *failed = run(self._redis, "put_back", names, args)
        self._batch_errors.report(error)
        for place, refusal in zip(failed[::2], failed[1::2], strict=True):
            stuck.add(step[place - 1], refusal.decode(errors="replace"))
        buried = [float(move.name) for move in step if move.where == "dead"]
        if buried:
            self._trim_dead(max(buried))
        return int(moved)

    def save_position(self, job: Claimed, payload: str, pushes: Sequence[Push], *, now: datetime) -> bool:
        """Save the payload of a job in progress, and push jobs, in one step; False: another worker has the job.

        Unique jobs whose lock is held are not pushed. Raises StoreUnavailable; it may be called again then, and
        pushes nothing twice.
        """
        queues = list(dict.fromkeys(push.queue for push in pushes))
        args: list[str | int | float] = [job.number, f"{job.queue}\n{payload}", self._rate_time(now)]
        for push in pushes:
            at = "" if push.at is None else push.at
            args += [queues.index(push.queue) + 1, push.queue, push.payload, at]
            lock = push.lock or Lock("", "")
            args += [lock.bid, lock.key, lock.jid, lock.window_ms, lock.conflict]
        names = [self._hash, keys.QUEUES, keys.SCHEDULE, *keys.BATCH_KEYS, *keys.TAKEN_LOCK_KEYS]
        is_saved = bool(run(self._redis, "save_position", [*names, *map(keys.queue, queues)], args))
        if is_saved:
            push_kept_out(self._redis, unique_pushes(pushes), now_ms=to_ms(now))
        return is_saved

    def mark(self, job: Claimed) -> None:
        """Note that this job, with which a worker has died before, runs now."""
        with translated():
            self._redis.hset(self._running, str(job.number), 1)

    def unmark(self, job: Claimed) -> None:
        """Take the note back."""
        with translated():
            self._redis.hdel(self._running, str(job.number))

    def marked(self) -> set[bytes]:
        """The fields of the jobs noted as running."""
        with translated():
            fields: Any = self._redis.hkeys(self._running)
        return set(fields)

    def all(self) -> list[Claimed]:
        """All jobs in progress, oldest first."""
        return [job for step in self.left() for job, _ in step if job.number >= 0][::-1]

    def left(self) -> Iterator[list[tuple[Claimed, bytes]]]:
        """All jobs in progress with their fields, newest first, as many at a time as make a short step.

        A field that is not a number, from another program, comes last, with the number -1.
        """
        with translated():
            fields: Any = self._redis.hkeys(self._hash)
            with self._redis.pipeline(transaction=False) as pipeline:
                for field in fields:
                    pipeline.hstrlen(self._hash, field)
                sizes = dict(zip(fields, pipeline.execute(), strict=True))
        ordered = sorted(fields, key=_number, reverse=True)
        for step in in_steps(ordered, lambda field: int(sizes[field])):
            with translated():
                entries: Any = self._redis.hmget(self._hash, step)
            yield [
                (_claimed(_number(field), entry, limits_if_any(entry.partition(b"\n")[2])), field)
                for field, entry in zip(step, entries, strict=True)
                if entry is not None
            ]


def _number(field: bytes) -> int:
    return int(field) if field.isdigit() and len(field) < LONGEST_NUMBER else -1


def _claimed(number: int, entry: bytes, limits: bytes | None = None) -> Claimed:
    queue, _, payload = entry.partition(b"\n")
    return Claimed(number, queue.decode(errors="replace"), payload, limits)


def _with_limits(first: int, entries: Sequence[bytes], runs: Sequence[int]) -> list[Claimed]:
    """The claimed jobs, the first of which has the number `first`.

    Those of each run have the same limits. `runs`: the place of its first job and the place behind its last one.
    """
    limits: list[bytes | None] = [None] * len(entries)
    for start, end in zip(runs[::2], runs[1::2], strict=True):
        limits[start:end] = [limits_text(entries[start].partition(b"\n")[2])] * (end - start)
    return [_claimed(first + place, entry, limits[place]) for place, entry in enumerate(entries)]


def _counters(now: datetime, stat: str = keys.STAT_PROCESSED) -> tuple[str, str]:
    """Sidekiq's counters of jobs, ever and of a day."""
    return stat, f"{stat}:{now:%Y-%m-%d}"
