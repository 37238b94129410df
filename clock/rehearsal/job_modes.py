"""Modes for the jobs that a test pushes: they are collected, run immediately, or sent to Redis.

Each mode can be set permanently, `fake()` in a conftest, or for a block, `with fake():`. It is the mode of all
threads, or with `this_thread=True` of one thread or task. Arguments pass through JSON in each mode, so `perform`
gets the same values as in a worker. Client middleware runs at the push, as in production. Around a run, only the
middleware in this module's `server_middleware` runs, as in Sidekiq's testing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, zip_longest
from types import TracebackType
from typing import Any, Literal, Self, cast

from clock.errors import JobError
from clock.job import Context, encryption, registry
from clock.job.flow.unique import unique_field
from clock.job.middleware.chain import Chain, ServerMiddleware
from clock.job.payload import Payload, decode
from clock.job.push import client
from clock.job.push.carriers import Batches, Carrier
from clock.job.push.client import ToRedis
from clock.job.push.filling import filled_in
from clock.job.push.inline import await_end, run_to_end
from clock.job.results import keeps_result, kept_error, kept_value
from clock.job.types import JobClass
from clock.rehearsal.collected_jobs import CollectedJobs
from clock.rehearsal.memory_batches import DONE, MemoryBatches
from clock.store.jobs.flow.batches import Batch
from clock.store.jobs.flow.unique_locks import Lock

#: Runs around jobs in tests; empty by default.
server_middleware: Chain[ServerMiddleware] = Chain()


def fake(*, this_thread: bool = False) -> Mode:
    """Collect the jobs that are pushed: `SendMailJob.jobs`, `.drain()`, `.perform_one()`, `.clear()`.

    `this_thread`: only those of this thread or asyncio task, and of the tasks that it starts. Use it inside the
    test, not in an async fixture: the fixture may run in another task.

    >>> from clock import Job
    >>> class PraiseLearnerJob(Job):
    ...     def perform(self, name: str) -> None:
    ...         print("Well done", name)
    >>> with fake():
    ...     jid = PraiseLearnerJob.perform_async("Ada")
    ...     print(PraiseLearnerJob.jobs[0]["args"])
    ...     PraiseLearnerJob.drain()
    ['Ada']
    Well done Ada
    1
    """
    return Mode(Collected(), this_thread=this_thread)


def inline(*, this_thread: bool = False) -> Mode:
    """Run each job when it is pushed, delayed jobs too; the push raises the job's errors."""
    return Mode(Inline(), this_thread=this_thread)


def disable(*, this_thread: bool = False) -> Mode:
    """Push to Redis, as in production."""
    return Mode(ToRedis(), this_thread=this_thread)


def mode() -> Literal["fake", "inline", "disabled"]:
    """The present mode: collected, run immediately, or sent to Redis.

    >>> with inline():
    ...     mode()
    'inline'
    """
    carrier = client.carrier()
    if isinstance(carrier, Collected):
        return "fake"
    return "inline" if isinstance(carrier, Inline) else "disabled"


def all_jobs(queue: str | None = None) -> list[Payload]:
    """The payloads of the jobs collected by `fake()`, in the order of their pushes; only of `queue`, if given."""
    return [payload for payload in _collected().payloads if queue in (None, payload["queue"])]


def drain_all() -> int:
    """Run all collected jobs, and the jobs that they push, until none is left. Returns how many."""
    collected = _collected()
    count = 0
    while collected.payloads:
        collected.run(collected.take(lambda payload: True))
        count += 1
    return count


def clear_all() -> None:
    """Delete all collected jobs."""
    _collected().payloads.clear()


class Mode:
    """A mode; as a context manager it ends with the block."""

    def __init__(self, carrier: Carrier, *, this_thread: bool = False) -> None:
        is_test = not isinstance(carrier, ToRedis)
        self._undo = (
            client.change_carrier(carrier, this_thread=this_thread),
            encryption.change_random_key(is_test, this_thread=this_thread),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for undo in self._undo:
            undo()


class Collected:
    """The carrier of `fake()`: it keeps the payloads as a worker would read them, delayed jobs with `at`."""

    def __init__(self) -> None:
        self.payloads: list[Payload] = []
        self.batches = MemoryBatches(self._follow)
        self.results: dict[str, Mapping[str, str]] = {}  # jid -> what JobResult reads
        self._lock = threading.Lock()  # one thread at a time finds and takes a job

    def carry(self, batches: Batches) -> None:
        """Keep the jobs."""
        for payload, lock in _with_locks(batches):
            if lock is None or (_may_add(self.batches, lock) and self._takes(lock)):
                self.payloads.append(payload)

    def open_batch(self, bid: str, batch: Batch) -> str:
        """Open a batch."""
        return self.batches.open(bid, batch)

    def seal_batch(self, bid: str) -> str:
        """Seal a batch; its callbacks are collected when all its jobs have run."""
        return self.batches.seal(bid)

    def _follow(self, text: str, wait: float) -> None:
        payload = cast("Payload", decode(text.encode()))
        if wait:
            payload["at"] = client.now() + wait
        self.payloads.append(payload)

    def _takes(self, lock: Lock) -> bool:
        """Whether a unique job is kept; its lock is held by a job that was collected and has not run."""
        if not lock.key:
            return True
        holder = next((one for one in self.payloads if _key_of(one) == lock.key), None)
        if holder is None:
            return True
        if lock.conflict == "replace":
            self.payloads.remove(holder)
            return True
        lock.holder = str(holder["jid"])
        return False

    async def acarry(self, batches: Batches) -> None:
        """Keep the jobs."""
        self.carry(batches)

    def jobs(self, job: JobClass) -> CollectedJobs:
        """The payloads of a class, as a list that follows pushes and runs."""
        return CollectedJobs(self.payloads, job.wire_name)

    def clear(self, job: JobClass) -> None:
        """Delete the jobs of a class."""
        self.payloads[:] = [payload for payload in self.payloads if payload["class"] != job.wire_name]

    def drain(self, job: JobClass) -> int:
        """Run the jobs of a class, and those of it that they push, until none is left. Returns how many."""
        count = 0
        while any(payload["class"] == job.wire_name for payload in self.payloads):
            self.perform_one(job)
            count += 1
        return count

    def perform_one(self, job: JobClass) -> Any:
        """Run the first job of a class; returns the result of `perform`.

        Raises JobError if no job of it was collected.
        """
        return self.run(self.take(lambda payload: payload["class"] == job.wire_name, job.wire_name))

    def take(self, wanted: Callable[[Payload], bool], name: str = "job") -> Payload:
        """Remove the first matching payload and return it. Raises JobError if no payload matches."""
        with self._lock:
            for index, payload in enumerate(self.payloads):
                if wanted(payload):
                    return self.payloads.pop(index)
        raise JobError(f"no {name} was pushed in this fake(), or all have been run")

    def run(self, payload: Payload) -> Any:
        """Run a job; returns the result of `perform`."""
        with _ending(self.batches, payload):
            return _kept(self.results, payload, lambda: run_to_end(*_found(payload), server_middleware.entries))


class Inline:
    """The carrier of `inline()`."""

    def __init__(self) -> None:
        self.batches = MemoryBatches(self._follow)
        self.results: dict[str, Mapping[str, str]] = {}  # jid -> what JobResult reads

    def carry(self, batches: Batches) -> None:
        """Run the jobs."""
        for payload in self._added(batches):
            with _ending(self.batches, payload):
                _run_inline(self.results, payload)

    def open_batch(self, bid: str, batch: Batch) -> str:
        """Open a batch."""
        return self.batches.open(bid, batch)

    def seal_batch(self, bid: str) -> str:
        """Seal a batch; its jobs have run, so its callbacks run now."""
        return self.batches.seal(bid)

    def _added(self, batches: Batches) -> Iterator[Payload]:
        """The jobs, each added to its batch, without those that are in it already or whose batch is done."""
        for payload, lock in _with_locks(batches):
            if lock is None or _may_add(self.batches, lock):
                yield payload

    def _follow(self, text: str, wait: float) -> None:
        payload = cast("Payload", decode(text.encode()))
        with _ending(self.batches, payload):
            _run_inline(self.results, payload)

    async def acarry(self, batches: Batches) -> None:
        """Run the jobs without blocking the event loop."""
        for payload in self._added(batches):
            with _ending(self.batches, payload):
                value = await await_end(*_found(payload), server_middleware.entries)
            _kept(self.results, payload, partial(_same, value))


def _run_inline(results: dict[str, Mapping[str, str]], payload: Payload) -> None:
    _kept(results, payload, lambda: run_to_end(*_found(payload), server_middleware.entries))


def _kept(results: dict[str, Mapping[str, str]], payload: Payload, run: Callable[[], Any]) -> Any:
    """Run a job, and keep its result if its payload requests that. An error fails it without a retry."""
    try:
        value = run()
    except Exception as error:
        if keeps_result(payload):
            results[str(payload["jid"])] = kept_error(payload, "failed", error).fields
        raise
    if keeps_result(payload):
        results[str(payload["jid"])] = kept_value(payload, value).fields
    return value


def _may_add(batches: MemoryBatches, lock: Lock) -> bool:
    """Add a job to its batch, if it has one. False: it was added before, or the batch is done."""
    if not lock.bid:
        return True
    lock.is_late = not batches.accepts(lock.bid)
    return batches.add(lock.bid, lock.jid)


@contextmanager
def _ending(batches: MemoryBatches, payload: Payload) -> Iterator[None]:
    """Run a job, then end it for its batch: done, or dead if it raised, as nothing tries it again."""
    try:
        with filled_in(None):  # a worker runs the job elsewhere: what it pushes is not in its batch
            yield
    except Exception:
        batches.end(payload, "dead")
        raise
    batches.end(payload, DONE)


def _same(value: Any) -> Any:
    return value


def _collected() -> Collected:
    carrier = client.carrier()
    if not isinstance(carrier, Collected):
        raise JobError("no jobs are collected: use it inside `with clock.testing.fake():`")
    return carrier


def _payloads(batches: Batches) -> Iterator[Payload]:
    for parcel in chain.from_iterable(batches):
        for text, at in zip_longest(parcel.payloads, parcel.at or ()):
            payload = cast("Payload", decode(text.encode()))
            if at is not None:
                payload["at"] = at
            if payload.get("encrypt"):
                payload["args"] = encryption.decrypted_args(payload)
            yield payload


def _with_locks(batches: Batches) -> Iterator[tuple[Payload, Lock | None]]:
    for parcel in chain.from_iterable(batches):
        locks: Sequence[Lock | None] = parcel.locks or [None] * len(parcel.payloads)
        yield from zip(_payloads([[parcel]]), locks, strict=True)


def _key_of(payload: Payload) -> str | None:
    field = unique_field(payload)
    return field.key if field else None


def _found(payload: Payload) -> tuple[JobClass, Context]:
    """The class of a payload, and the context of its run."""
    job = registry.lookup(str(payload["class"]))
    return job, Context(payload, queue=str(payload["queue"]), clock=client.clock())
