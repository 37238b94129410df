"""Flow control of jobs that a test runs without Redis: locks, batches, following jobs and results.

The rules of the scripts, in Python. A job runs once: whatever it raises ends it, as nothing retries it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from clock.errors import Discard
from clock.job import encryption
from clock.job.flow.unique import unique_field
from clock.job.payload import Payload, decode
from clock.job.push.filling import filled_in
from clock.job.results import keeps_result, kept_error, kept_value
from clock.store.jobs.flow.batches import Batch, Event
from clock.store.jobs.flow.unique_locks import Lock

PENDING, DONE = "pending", "done"


class MemoryFlow:
    """The rules for the jobs of a test.

    `waiting` are the jobs that have not run. `push` receives the jobs that callbacks and `then` push, with `wait`,
    their delay in seconds, or `at`. A unique job holds its lock while it waits or runs, and until its window is
    over.
    """

    def __init__(self, waiting: list[Payload], push: Callable[[Payload, Mapping[str, Any]], object]) -> None:
        self.batches = MemoryBatches(lambda text, when: push(as_read(text), when))
        self.results: dict[str, Mapping[str, str]] = {}  # jid -> what JobResult reads
        self._waiting = waiting
        self._running: list[Payload] = []
        self._windows: dict[str, tuple[str, float]] = {}  # key of a lock -> jid, end in float seconds

    def admits(self, lock: Lock | None, now: float) -> bool:
        """Whether a job is pushed: it gets its lock, and is new in its batch. Adds it to its batch."""
        if lock is None:
            return True
        if lock.bid:
            lock.is_late = not self.batches.accepts(lock.bid)
            if lock.is_late or self.batches.has(lock.bid, lock.jid):
                return False
        replaced = self._lock(lock, now) if lock.key else None
        if lock.holder:
            return False
        if lock.bid:
            self.batches.add(lock.bid, lock.jid)
        if replaced:
            self.end(replaced, "dropped", error=Discard("a newer push has replaced it"))
        return True

    def _lock(self, lock: Lock, now: float) -> Payload | None:
        """Take a lock, or note its `holder` in it. Returns the waiting job that the new one replaces."""
        waiting = next((one for one in self._waiting if _lock_key(one) == lock.key), None)
        holder = self._holder(lock.key, waiting, now)
        if holder and lock.conflict != "replace":
            lock.holder = holder
            return None
        self._windows.pop(lock.key, None)
        if lock.window_ms:
            self._windows[lock.key] = lock.jid, now + lock.window_ms / 1000
        if waiting:
            self._waiting.remove(waiting)
        return waiting

    def _holder(self, key: str, waiting: Payload | None, now: float) -> str:
        jid, until = self._windows.get(key, ("", 0.0))
        if until > now:
            return jid
        running = (one for one in self._running if _lock_key(one, starts=True) == key)
        return str((waiting or next(running, {})).get("jid", ""))

    @contextmanager
    def running(self, payload: Payload) -> Iterator[list[Any]]:
        """Run a job in the block, which appends the result of `perform`. A job that is dropped has none."""
        values: list[Any] = []
        self._running.append(payload)
        try:
            try:
                with filled_in(None):  # a worker runs it in no block
                    yield values
            finally:
                self._running.remove(payload)
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


def as_read(text: str) -> Payload:
    """A payload as a worker reads it, decrypted."""
    payload = cast("Payload", decode(text.encode()))
    if payload.get("encrypt"):
        payload["args"] = encryption.decrypted_args(payload)
    return payload


def _lock_key(payload: Payload, *, starts: bool = False) -> str | None:
    """The key of the lock of a job; None: it has none, or has freed it when it started."""
    field = unique_field(payload)
    return None if field is None or (starts and field.until == "start") else field.key


class MemoryBatches:
    """The batches of a test.

    `push` receives the payloads of callbacks and of following jobs, with the field `then`: it may have `wait`, the
    delay in seconds, or `at`.
    """

    def __init__(self, push: Callable[[str, Mapping[str, Any]], object]) -> None:
        self._push = push
        self._batches: dict[str, Batch] = {}
        self._children: dict[str, dict[str, str]] = {}  # bid -> jid -> pending, done, or how it ended otherwise

    def open(self, bid: str, batch: Batch) -> str:
        """Open a batch if it is unknown; "new", its state, or "no parent"."""
        if bid in self._batches:
            return self._batches[bid].state
        if batch.parent and not self.add(batch.parent, f"@{bid}"):
            return "no parent"
        self._batches[bid], self._children[bid] = batch, {}
        return "new"

    def add(self, bid: str, jid: str) -> bool:
        """Add a child. False: it was added before, or the batch is done or unknown."""
        if self.has(bid, jid) or not self.accepts(bid):
            return False
        self._children[bid][jid] = PENDING
        return True

    def has(self, bid: str, jid: str) -> bool:
        """Whether a child was added."""
        return jid in self._children.get(bid, ())

    def accepts(self, bid: str) -> bool:
        """Whether children may be added."""
        batch = self._batches.get(bid)
        return batch is not None and (batch.state != "done" or PENDING in self._children[bid].values())

    def seal(self, bid: str) -> str:
        """Seal a batch; the state that it had, '' if it is unknown."""
        batch = self._batches.get(bid)
        if batch is None:
            return ""
        before = batch.state
        if before == "open":
            batch.state = "sealed"
        self._settle(bid)
        return before

    def end(self, payload: Mapping[str, object], how: str) -> None:
        """End a job: push the job that follows it if it is done, and end it for its batch."""
        following = payload.get("then")
        if how == DONE and isinstance(following, Mapping):
            if isinstance(following.get("bid"), str):
                self.add(following["bid"], str(following["jid"]))
            self._push(str(following["payload"]), following)
        bid, jid = payload.get("bid"), str(payload.get("jid"))
        if not isinstance(bid, str) or self._children.get(bid, {}).get(jid, DONE) == DONE:
            return
        self._children[bid][jid] = how
        if how == "dead":
            self._die(bid)
        self._settle(bid)

    def _die(self, bid: str | None) -> None:
        while bid and (batch := self._batches.get(bid)):
            self._fire(batch, "death")
            bid = batch.parent

    def _settle(self, bid: str | None) -> None:
        while bid and (batch := self._batches.get(bid)):
            states = self._children[bid].values()
            if batch.state == "open" or PENDING in states:
                return
            batch.state = "done"
            is_success = all(state == DONE for state in states)
            self._fire(batch, "complete")
            if is_success:
                self._fire(batch, "success")
            if batch.parent and batch.parent in self._children:
                self._children[batch.parent][f"@{bid}"] = DONE if is_success else "failed"
            bid = batch.parent

    def _fire(self, batch: Batch, event: Event) -> None:
        if event not in batch.fired:
            batch.fired[event] = 0
            if event in batch.callbacks:
                self._push(batch.callbacks[event], {})
