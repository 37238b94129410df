"""Flow control of jobs that a test runs without Redis: locks, batches, following jobs and results.

A job runs once: whatever it raises ends it, as nothing retries it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from clock.errors import Discard, JobCancelled
from clock.job import encryption
from clock.job.payload import Payload, decode
from clock.job.push.filling import filled_in
from clock.job.results import keeps_result, kept_error, kept_value
from clock.rehearsal.memory.batches import DONE, MemoryBatches
from clock.rehearsal.memory.locks import MemoryLocks
from clock.store.jobs.flow.unique_locks import Lock


class MemoryFlow:
    """The rules for the jobs of a test.

    `waiting` are the jobs that have not run. `push` receives the jobs that callbacks and `then` push, with `wait`,
    their delay in seconds, or `at`.
    """

    def __init__(self, waiting: list[Payload], push: Callable[[Payload, Mapping[str, Any]], object]) -> None:
        self.batches = MemoryBatches(lambda text, when: push(as_read(text), when))
        self.results: dict[str, Mapping[str, str]] = {}  # jid -> what JobResult reads
        self._locks = MemoryLocks(waiting)

    def admits(self, lock: Lock | None, now: float) -> bool:
        """Whether a job is pushed: it gets its lock, and is new in its batch. Adds it to its batch."""
        if lock is None:
            return True
        if lock.bid:
            lock.is_late = not self.batches.accepts(lock.bid)
            if lock.is_late or self.batches.has(lock.bid, lock.jid):
                return False
        replaced = self._locks.take(lock, now) if lock.key else None
        if lock.holder:
            return False
        if lock.bid:
            self.batches.add(lock.bid, lock.jid)
        if replaced:
            self.end(replaced, "dropped", error=Discard("a newer push has replaced it"))
        return True

    @contextmanager
    def running(self, payload: Payload) -> Iterator[list[Any]]:
        """Run a job in the block, which appends the result of `perform`. A job that is dropped has none."""
        values: list[Any] = []
        try:
            with filled_in(None), self._locks.running(payload):  # a worker runs it in no block
                yield values
        except Discard as error:
            self.end(payload, "dropped", error=error)
        except BaseException as error:
            self.end(payload, "dead", error=error)
            raise
        else:
            self.end(payload, DONE, values[0])

    def end(self, payload: Payload, how: str, value: object = None, error: BaseException | None = None) -> None:
        """End a job: keep its result if its payload requests that, and end it for its batch."""
        if keeps_result(payload):
            status: Any = "failed" if how == "dead" else how
            kept = kept_value(payload, value) if how == DONE else kept_error(payload, status, error)
            self.results[str(payload["jid"])] = kept.fields
        self.batches.end(payload, how)

    def cancel(self, payload: Payload) -> None:
        """End a job that was cancelled before its run."""
        self.end(payload, "cancelled", error=JobCancelled())


def as_read(text: str) -> Payload:
    """A payload as a worker reads it, decrypted."""
    payload = cast("Payload", decode(text.encode()))
    if payload.get("encrypt"):
        payload["args"] = encryption.decrypted_args(payload)
    return payload
