"""The position of an iteration: which item is done, when it is saved, and when the run ends early."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, ClassVar, Protocol

from clock.errors import JobCancelled, JobError, StoreError
from clock.job.context import EndedEarly, RunningJob, figure
from clock.job.payload import encode, in_seconds
from clock.job.push import client
from clock.job.push.filling import ITEM
from clock.printable import brief
from clock.store.jobs.queues import Parcel
from clock.store.ledger.held_pushes import ItemPushes, Push, holding_in

SAVE_SECONDS = 1.0  # an item that is done runs again for at most this time, if the worker dies
HOLD_SECONDS = 0.2  # with exactly_once: how long the jobs of an item are held while others are quick
HOLD_JOBS = 1_000  # with exactly_once: of one script, so Redis answers others within some ms
FIELD = "iteration"  # of the payload

logger = logging.getLogger("clock.job")


class Iterates(RunningJob, Protocol):
    """A job that iterates."""

    max_run_time: ClassVar[Any]


def is_counted(job: Iterates) -> bool:
    """Whether an earlier run has counted the items."""
    return "total" in _kept(job)


def _kept(job: Iterates) -> Mapping[str, Any]:
    kept = job.context.payload.get(FIELD)
    return kept if isinstance(kept, Mapping) else {}


class Position:
    """The position of one run. `cursor` is the cursor of the last finished item.

    `total` is the number of items, if an earlier run has not counted them.
    """

    def __init__(self, job: Iterates, total: int | None) -> None:
        self._job, self._context, self._state = job, job.context, job.context.state
        payload, kept = job.context.payload, _kept(job)
        self.cursor = kept.get("cursor")
        self._done = in_seconds(kept.get("done")) or 0
        self._spent = in_seconds(kept.get("seconds")) or 0
        self._total = kept.get("total", None if total is None else figure(f"{job.wire_name}.count", total))
        exactly_once = payload.get("exactly_once", job.exactly_once)
        self._held = ItemPushes(job.context.jid, 0, None) if exactly_once else None
        self._clock = job.context.clock.monotonic
        self._began = self._saved = self._clock()
        limit = in_seconds(payload.get("max_run_time", job.max_run_time))
        self._ends_at = float("inf") if limit is None else self._began + limit
        self._ends: EndedEarly = ""
        self._is_saved = True
        self._show()

    @contextmanager
    def holding(self, cursor: object) -> Iterator[None]:
        """Handle the item of `cursor`. With exactly_once, hold the jobs that it pushes; drop them if it fails."""
        held, before = self._held, 0
        if held:
            held.next_item(self._text(cursor))
            before = len(held.pushes)
        token = ITEM.set(partial(self._text, cursor))
        try:
            with holding_in(held) if held else nullcontext():
                yield
        except BaseException:
            if held:
                del held.pushes[before:]
            raise
        finally:
            ITEM.reset(token)

    def note(self, cursor: object) -> bool:
        """Note that the item of `cursor` is done. True: call `save` before the next item."""
        self.cursor, self._is_saved = cursor, False
        self._done += 1
        now = self._clock()
        if self._state.cancelled:
            return True
        self._ends = "stopped" if self._context.is_stopping() else "released" if now >= self._ends_at else ""
        if self._held is not None and self._held.pushes:
            is_due = now - self._saved >= HOLD_SECONDS or len(self._held.pushes) >= HOLD_JOBS
            return bool(self._ends) or is_due or self._state.save is None
        return bool(self._ends) or now - self._saved >= SAVE_SECONDS

    def save(self) -> bool:
        """Save the position, and push the jobs that are held. True: the run ends here.

        Waits while Redis is away. Raises JobError for a cursor that is not JSON, JobCancelled.
        """
        self._text(self.cursor)
        self._saved = self._clock()
        self._show()
        pushes = list(self._held.pushes) if self._held else []
        if self._state.save is None:  # outside of a worker
            _carry([push for push in pushes if not push.lock])
            _carry([push for push in pushes if push.lock])
        elif not self._state.save(self._state.fields, pushes):
            self._ends = "lost"
        if self._held:
            self._held.pushes.clear()
        self._is_saved = True
        self._state.ended_early = self._ends
        if self._state.cancelled and not self._ends:
            raise JobCancelled
        return bool(self._ends)

    def finish(self) -> None:
        """Push the jobs that are still held: the items are over."""
        if self._held and self._held.pushes:
            self.save()

    def keep(self) -> None:
        """Save the position before the item that has failed."""
        if self._is_saved:
            return
        try:
            self.save()
        except StoreError as error:
            logger.error("%s: the position could not be saved: %s", self._job.wire_name, error)

    def _show(self) -> None:
        spent = round(self._spent + self._clock() - self._began, 3)
        shown = {"done": self._done, "total": self._total, "seconds": spent}
        self._state.progress = shown
        self._state.fields = {FIELD: {"cursor": self.cursor, **shown}}

    def _text(self, cursor: object) -> str:
        try:
            return encode(cursor).encode().decode()  # a surrogate raises a ValueError
        except (TypeError, ValueError, RecursionError):
            raise JobError(
                f"{self._job.wire_name}.items yielded the cursor {brief(cursor, 60)}, which JSON does not support;"
                " yield pairs (cursor, item) with an id, a number or a text as cursor"
            ) from None


def _carry(pushes: Sequence[Push]) -> None:
    parcels = [
        Parcel(
            push.queue,
            [push.payload],
            None if push.at is None else [push.at],
            locks=[push.lock] if push.lock else None,
        )
        for push in pushes
    ]
    if parcels:
        client.carrier().carry([parcels])
