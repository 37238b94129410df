"""Pushes that wait for their firing.

While the clock runs an event's action, the jobs it pushes are not sent to Redis: they are held here and go into
the fire script together with the ledger entry, so a firing and its jobs are one thing. The same firing always
gives its jobs the same jids: a jid comes from event, due instant and place in the firing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

from clock.forking import in_child
from clock.store.jobs.flow.unique_locks import Lock, LockedPush
from clock.store.jobs.queues import Parcel


class Push(msgspec.Struct, frozen=True, array_like=True):
    """One job on its way to Redis: its JSON, its queue, and when (float seconds since 1970; None: now)."""

    payload: str
    queue: str
    at: float | None = None
    lock: Lock | None = None


def unique_pushes(pushes: Iterable[Push]) -> list[LockedPush]:
    """Those of unique jobs."""
    return [LockedPush(one.lock, one.queue, one.payload, one.at) for one in pushes if one.lock and one.lock.key]


def kept_out(pushes: Iterable[Push]) -> list[LockedPush]:
    """Those of a committed firing that were not pushed, as another job holds their lock."""
    return [one for one in unique_pushes(pushes) if one.lock.holder]


class HeldBatch(msgspec.Struct):
    """A batch that a firing opens at `now_ms`: JSON, its parent's bid ('': none), and whether it is sealed."""

    bid: str
    text: str
    parent: str
    now_ms: int
    is_sealed: bool = False


def jid_of(event: str, due_ms: int, place: int) -> str:
    """The jid of a firing's job at a place, from 0: 24 hex digits."""
    return hashlib.blake2b(f"{event}\0{due_ms}\0{place}".encode(), digest_size=12).hexdigest()


class HeldPushes(msgspec.Struct):
    """The jobs that one firing has pushed so far. `due_ms` and `previous_ms` are milliseconds since 1970, UTC."""

    event: str
    due_ms: int
    previous_ms: int | None
    pushes: list[Push] = []  # a struct makes a new one for each
    jids: list[str] = []
    batches: list[HeldBatch] = []
    _given: int = 0
    _item: str = ""

    def next_jid(self) -> str:
        """The jid of the firing's next job: 24 hex digits, the same each time this firing is run."""
        self.jids.append(jid_of(self.event + self._item, self.due_ms, self._given))
        self._given += 1
        return self.jids[-1]

    def give_back_jid(self, jid: str) -> None:
        """Take back a jid: its job is not pushed after all. Only the last one is given again."""
        if jid == self.jids[-1]:
            self._given -= 1
        self.jids.remove(jid)

    def hold(self, parcels: Iterable[Parcel]) -> None:
        """Add jobs to those that the firing pushes."""
        for parcel in parcels:
            due: Sequence[float | None] = parcel.at or [None] * len(parcel.payloads)
            locks: Sequence[Lock | None] = parcel.locks or [None] * len(parcel.payloads)
            jobs = zip(parcel.payloads, due, locks, strict=True)
            self.pushes += [Push(text, parcel.queue, at, lock) for text, at, lock in jobs]

    @property
    def clock_field(self) -> dict[str, str | int | None]:
        """The field `clock` of this firing's payloads."""
        return {"event": self.event, "due": self.due_ms, "previous": self.previous_ms}


class ItemPushes(HeldPushes):
    """The jobs that the items of an iterating job have pushed since its position was saved.

    `event` is the jid of the iterating job. The jid of a job comes from it, the item's cursor and the place in the
    item.
    """

    def next_item(self, cursor: str) -> None:
        """Start with the item of that cursor, as JSON."""
        self._item, self._given = f"\0{cursor}", 0
        self.jids.clear()

    @property
    def clock_field(self) -> dict[str, str | int | None]:
        """Nothing: no firing pushes these jobs."""
        return {}


_current: ContextVar[HeldPushes | None] = ContextVar("clock_held_pushes", default=None)


def current() -> HeldPushes | None:
    """The firing under way in this thread or task, if there is one."""
    return _current.get()


in_child(lambda: _current.set(None))  # its pushes go to Redis at once: its parent commits the firing


@contextmanager
def holding_in(held: HeldPushes | None) -> Iterator[None]:
    """Hold the pushes of the block in `held`. None: do not hold it."""
    token = _current.set(held)
    try:
        yield
    finally:
        _current.reset(token)


class holding:  # noqa: N801  # it reads as a function, and a generator would cost each firing more
    """Hold the pushes of the block; the caller commits `held.pushes`, or drops them."""

    __slots__ = ("_held", "_token")

    def __init__(self, event: str, due_ms: int, previous_ms: int | None) -> None:
        self._held = HeldPushes(event, due_ms, previous_ms)

    def __enter__(self) -> HeldPushes:
        self._token = _current.set(self._held)
        return self._held

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def dropping() -> holding:
    """Drop the pushes of the block: for code that only looks at an application."""
    return holding("", 0, None)
