"""Modes for the jobs that a test pushes: they are collected, run immediately, or sent to Redis.

Each mode can be set permanently, `fake()` in a conftest, or for a block, `with fake():`. It is the mode of all
threads, or with `this_thread=True` of one thread or task. Arguments pass through JSON in each mode, so `perform`
gets the same values as in a worker. Client middleware runs at the push, as in production. Around a run, only the
middleware in this module's `server_middleware` runs, as in Sidekiq's testing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSequence, Sequence
from contextlib import ExitStack
from itertools import chain, zip_longest
from typing import Any, Literal, overload

from clock.errors import JobCancelled, JobError
from clock.job import Context, encryption, registry
from clock.job.context import JobClass
from clock.job.middleware.chain import Chain, ServerMiddleware
from clock.job.payload import Payload
from clock.job.push import client
from clock.job.push.carriers import Batches, Carrier
from clock.job.push.client import ToRedis
from clock.job.push.inline import await_here, run_here
from clock.rehearsal.flow import MemoryFlow, as_read
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
    """The present mode: "fake", "inline" or "disabled".

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
    return _collected().run_all(lambda payload: True)


def clear_all() -> None:
    """Delete all collected jobs."""
    _collected().payloads.clear()


class Mode(ExitStack):
    """A mode; as a context manager it ends with the block."""

    def __init__(self, carrier: Carrier, *, this_thread: bool = False) -> None:
        super().__init__()
        is_test = not isinstance(carrier, ToRedis)
        self.callback(client.change_carrier(carrier, this_thread=this_thread))
        self.callback(encryption.change_random_key(is_test, this_thread=this_thread))


class _WithoutRedis:
    """A carrier of a test. `results` has the fields of each result, by jid."""

    def __init__(self, flow: MemoryFlow) -> None:
        self._flow = flow
        self.results: Mapping[str, Mapping[str, str]] = flow.results
        self.open_batch = flow.batches.open
        self.seal_batch = flow.batches.seal

    def _admitted(self, batches: Batches) -> Iterator[Payload]:
        """The jobs that are pushed: those that get their locks and are new in their batches."""
        for parcel in chain.from_iterable(batches):
            locks: Sequence[Lock | None] = parcel.locks or [None] * len(parcel.payloads)
            for text, at, lock in zip_longest(parcel.payloads, parcel.at or (), locks):
                if self._flow.admits(lock, client.now()):
                    yield as_read(text) if at is None else {**as_read(text), "at": at}

    def run(self, payload: Payload) -> Any:
        """Run a job; returns the result of `perform`, None if it was dropped."""
        with self._flow.running(payload) as values:
            values.append(run_here(*_found(payload), server_middleware.entries))
        return values[0] if values else None


class Collected(_WithoutRedis):
    """The carrier of `fake()`: it keeps the payloads as a worker would read them, delayed jobs with `at`."""

    def __init__(self) -> None:
        self.payloads: list[Payload] = []
        self._lock = threading.Lock()  # one thread at a time finds and takes a job
        super().__init__(MemoryFlow(self.payloads, self._follow))

    def carry(self, batches: Batches) -> None:
        """Keep the jobs."""
        self.payloads.extend(self._admitted(batches))

    async def acarry(self, batches: Batches) -> None:
        """Keep the jobs."""
        self.carry(batches)

    def cancel(self, jid: str) -> bool:
        """Delete a job; False: it has run, or never was."""
        found = self._taken(lambda payload: payload["jid"] == jid)
        if found is not None:
            self._flow.end(found, "cancelled", error=JobCancelled())
        return found is not None

    def jobs(self, job: JobClass) -> CollectedJobs:
        """The payloads of a class, as a list that follows pushes and runs."""
        return CollectedJobs(self.payloads, job.wire_name)

    def clear(self, job: JobClass) -> None:
        """Delete the jobs of a class."""
        self.payloads[:] = [payload for payload in self.payloads if payload["class"] != job.wire_name]

    def drain(self, job: JobClass) -> int:
        """Run the jobs of a class, and those of it that they push, until none is left. Returns how many."""
        return self.run_all(lambda payload: payload["class"] == job.wire_name)

    def run_all(self, wanted: Callable[[Payload], bool]) -> int:
        """Run the matching jobs, and those that they push, until none is left. Returns how many."""
        count = 0
        while (payload := self._taken(wanted)) is not None:
            self.run(payload)
            count += 1
        return count

    def perform_one(self, job: JobClass) -> Any:
        """Run the first job of a class; returns the result of `perform`. Raises JobError without a job."""
        found = self._taken(lambda payload: payload["class"] == job.wire_name)
        if found is None:
            raise JobError(f"no {job.wire_name} was pushed in this fake(), or all have been run")
        return self.run(found)

    def _taken(self, wanted: Callable[[Payload], bool]) -> Payload | None:
        with self._lock:
            for index, payload in enumerate(self.payloads):
                if wanted(payload):
                    return self.payloads.pop(index)
        return None

    def _follow(self, payload: Payload, when: Mapping[str, Any]) -> None:
        now = client.now()
        due = float(when.get("at") or now + float(when.get("wait") or 0))
        if due > now:
            payload["at"] = due
        self.payloads.append(payload)


class CollectedJobs(MutableSequence[Payload]):
    """The value of `SomeJob.jobs`: a live view, as Sidekiq's. Changing it changes what `drain()` will run."""

    def __init__(self, payloads: list[Payload], wire_name: str) -> None:
        self._payloads = payloads  # of all classes, in the order of their pushes
        self._wire_name = wire_name

    def __len__(self) -> int:
        return len(self._copy())

    @overload
    def __getitem__(self, index: int) -> Payload: ...

    @overload
    def __getitem__(self, index: slice) -> list[Payload]: ...

    def __getitem__(self, index: int | slice) -> Payload | list[Payload]:
        return self._copy()[index]

    def __setitem__(self, index: int | slice, value: Payload | Iterable[Payload]) -> None:
        raise TypeError("jobs are added by pushing them; use del, remove(), pop() or clear() to take some out")

    def __delitem__(self, index: int | slice) -> None:
        found = self._copy()[index]
        for payload in found if isinstance(found, list) else [found]:
            self._payloads.remove(payload)

    def insert(self, index: int, value: Payload) -> None:
        """Not supported: a job is added by pushing it. Raises TypeError."""
        raise TypeError("jobs are added by pushing them: SomeJob.perform_async(...)")

    def __eq__(self, other: object) -> bool:
        return self._copy() == (other._copy() if isinstance(other, CollectedJobs) else other)

    __hash__ = None  # type: ignore[assignment]  # it changes, as a list does

    def __repr__(self) -> str:
        return repr(self._copy())

    def _copy(self) -> list[Payload]:
        return [payload for payload in self._payloads if payload["class"] == self._wire_name]


class Inline(_WithoutRedis):
    """The carrier of `inline()`."""

    def __init__(self) -> None:
        super().__init__(MemoryFlow([], lambda payload, _: self.run(payload)))

    def carry(self, batches: Batches) -> None:
        """Run the jobs."""
        for payload in self._admitted(batches):
            self.run(payload)

    async def acarry(self, batches: Batches) -> None:
        """Run the jobs without blocking the event loop."""
        for payload in self._admitted(batches):
            with self._flow.running(payload) as values:
                values.append(await await_here(*_found(payload), server_middleware.entries))

    def cancel(self, jid: str) -> bool:
        """False: each job has run when its push returns."""
        return False


def _collected() -> Collected:
    carrier = client.carrier()
    if not isinstance(carrier, Collected):
        raise JobError("no jobs are collected: use it inside `with clock.testing.fake():`")
    return carrier


def _found(payload: Payload) -> tuple[JobClass, Context]:
    job = registry.lookup(str(payload["class"]))
    return job, Context(payload, queue=str(payload["queue"]), clock=client.clock())
