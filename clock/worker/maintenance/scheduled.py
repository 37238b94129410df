"""Moves delayed jobs of `schedule` and `retry` to their queues when they are due.

It sleeps until the earliest job is due, `LOOK_SECONDS` at most, and is woken when a job is pushed that is due
before. So a delayed job starts on time; one pushed by another program, if it is delayed by more than that.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

from clock.clocks import Clock
from clock.errors import StoreError, StoreUnavailable
from clock.job.payload import decode, encode_again, queue_of, seconds
from clock.problems import Problems
from clock.store.jobs.delayed import LOOK_SECONDS, STUCK_SECONDS, WAITING, CannotEnqueue, Delayed, Nearer, earliest

BUSY_SECONDS = 0.02  # between looks at a job that is due and that another worker moves


class ScheduledJobs:
    """A thread's loop: move due jobs, sleep until the next one."""

    def __init__(
        self, delayed: Delayed, nearer: Nearer, *, clock: Clock, problems: Problems | None = None
    ) -> None:
        problems = problems or Problems(clock=clock)
        self._part = problems.part("delayed jobs")
        self._sets = {where: problems.part(f"delayed jobs in {where!r}") for where in WAITING}
        self._delayed = delayed
        self._nearer = nearer
        self._clock = clock
        self._problems = problems
        self._next_due = math.inf  # float seconds: when the first job was due at the last look

    def run(self, stop: threading.Event) -> None:
        """Poll until `stop` is set."""
        while not stop.is_set():
            try:
                with self._part:
                    moved = self.poll()
                    self._nearer.wait(self.seconds_to_sleep() or (0.0 if moved else BUSY_SECONDS))
            except Exception:  # noqa: BLE001  # the part reports it; no mistake of ours may end the thread
                self._clock.wait(stop, LOOK_SECONDS)

    def poll(self) -> int:
        """Move all that is due; how many. One round trip if nothing is due. Raises StoreUnavailable."""
        now, firsts = self._clock.now().timestamp(), self._delayed.first_due()
        due = [where for where, first in firsts.items() if first <= now]
        moved = sum(self._move(where) for where in due)
        for where in firsts.keys() - due:
            self._sets[where].works()
        self._next_due = earliest(self._delayed.first_due() if due else firsts)
        return moved

    def seconds_to_sleep(self) -> float:
        """How long until the first job is due that the last look has found, `LOOK_SECONDS` at most."""
        return min(LOOK_SECONDS, max(0.0, self._next_due - self._clock.now().timestamp()))

    def _move(self, where: str) -> int:
        moved = 0
        try:
            while members := self._delayed.due(where, self._clock.now().timestamp()):
                moved += self._release(where, members)
        except StoreUnavailable:
            raise
        except StoreError as error:  # the set has a wrong type: the other one must not wait for it
            self._sets[where].failed(error)
        else:
            self._sets[where].works()
        return moved

    def _release(self, where: str, members: Sequence[bytes]) -> int:
        now = seconds(self._clock.now())
        jobs = [_released(member, now) for member in members]
        try:
            return self._delayed.release(where, jobs, again=now + STUCK_SECONDS)
        except CannotEnqueue as error:
            self._problems.entry("In %r %s Retrying every %g s.", where, error, STUCK_SECONDS)
            return error.moved


def _released(member: bytes, now: float) -> tuple[bytes, str, str | bytes]:
    """(member, queue, payload with its time of enqueueing); a worker buries invalid payloads."""
    try:
        payload = decode(member)
        if isinstance(payload, dict):
            return member, queue_of(payload), encode_again({**payload, "enqueued_at": now})
    except (ValueError, RecursionError, OverflowError):
        pass
    return member, "default", member
