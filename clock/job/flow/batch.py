"""Batches: jobs that other jobs wait for.

Redis has the set of jobs that are pending. The script that ends the last of them pushes the callbacks, each once,
with a jid made from batch and event. A batch is open while its block runs, then sealed, and done when no job is
pending.

A block that fails leaves its batch open. If a job opened it, the retry of the job opens the same batch again: its
id comes from the job's jid. The jids of the children come from the batch, so only the missing ones are pushed.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextvars import Token
from typing import Any, Protocol, Self, cast, runtime_checkable

from clock.errors import BatchDone, JobError
from clock.job.context import Context, JobClass
from clock.job.flow.checked_call import checked_call
from clock.job.options import Order, Signature
from clock.job.payload import new_jid
from clock.job.push import client, filling
from clock.job.push.filling import Filling, filled_in, jid_after
from clock.job.push.payload_builder import payload_text
from clock.log import running_job
from clock.printable import brief
from clock.store.jobs.flow import batches as stored
from clock.store.ledger import held_pushes
from clock.store.ledger.held_pushes import HeldBatch, ItemPushes, jid_of

#: A callback: a job class, which gets the `args` of the batch, or a signature with its own.
Callback = JobClass | Order | Signature

_BID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_MOST_OPENERS = 10_000  # jobs of one process that have opened batches and may still run


@runtime_checkable
class Keeper(Protocol):
    """A carrier that keeps batches."""

    def open_batch(self, bid: str, batch: stored.Batch) -> str:
        """Open a batch if it is unknown; "new", its state, or "no parent"."""

    def seal_batch(self, bid: str) -> str:
        """Seal a batch; the state that it had, '' if it is unknown."""


class HasBid(Protocol):
    """An object with the id of a batch: `Batch`, `self.batch`, `clock.api.BatchRef`."""

    @property
    def bid(self) -> str:
        """The batch's id."""
        ...


@checked_call
class Batch:
    """The jobs pushed inside its block, and the jobs to push when these have ended.

    - `on_success`: when all jobs are done;
    - `on_complete`: when all have ended, successfully or not;
    - `on_death`: when the first one is dead;
    - `args`: the arguments of the callbacks;
    - `id`: a name of yours, with letters, digits and `_.:-`; a batch of that name is opened once. None: made from
      the job that opens it, or at random;
    - `parent`: a batch, or its id, which is not done before this one;
    - `description`: for people.

    >>> from clock import Job
    >>> class CountRowsJob(Job):
    ...     def perform(self, row: int) -> None: ...
    >>> class ReportRowsJob(Job):
    ...     def perform(self, report: int) -> None:
    ...         print("report", report)
    >>> from clock.testing import inline
    >>> with inline(), Batch(on_success=ReportRowsJob, args=[7]):
    ...     jids = CountRowsJob.perform_bulk([[1], [2]])
    report 7
    """

    def __init__(
        self,
        *,
        on_success: Callback | None = None,
        on_complete: Callback | None = None,
        on_death: Callback | None = None,
        args: Sequence[Any] = (),
        id: str | None = None,  # noqa: A002  # the word that people use
        parent: HasBid | str | None = None,
        description: str = "",
    ) -> None:
        if id is not None and not (isinstance(id, str) and _BID.fullmatch(id)):
            raise JobError(f"Batch: id is {brief(id)}; it must be 1 to 100 letters, digits and _.:-")
        if isinstance(args, (str, bytes)) or not isinstance(args, Sequence):
            raise JobError(f"Batch: args is {brief(args)}; it must be a list of the arguments of the callbacks")
        if not isinstance(description, str):
            raise JobError(f"Batch: description is {brief(description)}; it must be a text")
        given = {"success": on_success, "complete": on_complete, "death": on_death}
        self._callbacks = {event: _signature(job, args) for event, job in given.items() if job is not None}
        self._id = id
        bid: object = getattr(parent, "bid", parent)
        self._parent = bid if isinstance(bid, str) else None
        if parent is not None and not self._parent:
            raise JobError(f"Batch: parent is {brief(parent)}; it must be a batch, or the id of a batch")
        self._description = description
        self._held: HeldBatch | None = None
        self._token: Token[Filling | None]  # inside the block
        self._bid = ""

    @property
    def bid(self) -> str:
        """The batch's id. Raises JobError before the block."""
        if not self._bid:
            raise JobError("Batch: it has no id before its block; write with Batch(...) as batch:")
        return self._bid

    def __enter__(self) -> Self:
        self._start()
        self._open()
        self._token = filling.CURRENT.set(Filling(self._bid))
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        filling.CURRENT.reset(self._token)
        if kind is None:
            self._seal()

    async def __aenter__(self) -> Self:
        self._start()
        await asyncio.to_thread(self._open)
        self._token = filling.CURRENT.set(Filling(self._bid))
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        filling.CURRENT.reset(self._token)
        if kind is None:
            await asyncio.to_thread(self._seal)

    def _start(self) -> None:
        """Give the batch its id. Threads would give ids in another order when the job runs again."""
        if self._bid:
            raise JobError("Batch: a batch has one block; make another Batch")
        self._bid = self._id or _new_bid()

    def _open(self) -> None:
        """Open the batch, or note it for the firing. Raises JobError, BatchDone, StoreUnavailable."""
        now = client.now()
        with filled_in(None):  # a callback is in no batch
            texts = {
                event: payload_text(callback, jid_after(self._bid, event), now)
                for event, callback in self._callbacks.items()
            }
        jid = (running_job.get() or {}).get("jid")
        batch = stored.Batch(
            created=int(1000 * now),
            callbacks={event: text for event, text in texts.items() if text},
            parent=self._parent,
            opener=jid if isinstance(jid, str) else None,
            description=self._description,
        )
        held = held_pushes.current()
        if isinstance(held, ItemPushes):
            raise JobError("Batch: an item of an exactly_once job cannot open a batch; open it around the push")
        if held is not None:
            self._held = HeldBatch(self._bid, stored.encoded(batch), self._parent or "", int(1000 * now))
            held.batches.append(self._held)
        elif _keeper().open_batch(self._bid, batch) == "no parent":
            raise BatchDone("Batch", str(self._parent))

    def _seal(self) -> None:
        if self._held is not None:
            self._held.is_sealed = True
        else:
            _keeper().seal_batch(self._bid)


class OwnBatch(Filling):
    """The batch that a running job belongs to; its block adds the jobs that are pushed in it."""

    def __init__(self, bid: str, adder: str) -> None:
        super().__init__(bid, adder)
        self._tokens: list[Token[Filling | None]] = []

    def __enter__(self) -> Self:
        self._tokens.append(filling.CURRENT.set(self))
        return self

    def __exit__(self, *_: object) -> None:
        filling.CURRENT.reset(self._tokens.pop())


def own_batch(context: Context) -> OwnBatch:
    """The batch of a running job. Raises JobError if it belongs to none."""
    bid = context.payload.get("bid")
    if not isinstance(bid, str):
        raise JobError(f"{context.payload.get('class')}: self.batch is for jobs that a batch pushed")
    adder = filling.named(context.jid)
    own = cast("OwnBatch | None", context.state.batch)
    if own is None or own.adder != adder:
        context.state.batch = own = OwnBatch(bid, adder)
    return own


def _signature(job: Callback, args: Sequence[Any]) -> Signature:
    """A callback with its arguments, which are checked. Raises ArgumentsError, JobError."""
    if isinstance(job, type) and hasattr(job, "wire_name"):
        job = Order(job)
    if isinstance(job, Order):
        client.check(job, args)
        job = Signature(job, tuple(args))
    if not isinstance(job, Signature):
        raise JobError(f"Batch: {brief(job)} is not a callback; give a job class, SomeJob.set(...) or a signature")
    if job.order.when is not None:
        raise JobError(f"{job.order.job.wire_name}: a callback of a batch cannot wait; remove wait=")
    return job


def _keeper() -> Keeper:
    carrier = client.carrier()
    if not isinstance(carrier, Keeper):
        raise JobError("Batch: batches are not supported here; use clock.testing.fake(), inline() or a world")
    return carrier


_lock = threading.Lock()
#: How many batches each running job, or its item, has opened; by the identity of its payload, which the entry
#: keeps alive, and its name.
_opened: OrderedDict[tuple[int, str], tuple[Mapping[str, object], int]] = OrderedDict()  # guarded by _lock


def _new_bid() -> str:
    """The id of the batch that is opened now: the same if the job, or the firing, that opens it runs again."""
    held, payload = held_pushes.current(), running_job.get()
    if held is not None:
        return jid_of(f"{held.event}\0batch", held.due_ms, len(held.batches))
    if payload is None or not payload.get("jid"):
        return new_jid()
    name = filling.named(str(payload["jid"]))
    key = id(payload), name
    with _lock:
        _, place = _opened.pop(key, (payload, 0))
        _opened[key] = payload, place + 1
        if len(_opened) > _MOST_OPENERS:
            _opened.popitem(last=False)
    return jid_of(f"{name}\0batch", 0, place)
