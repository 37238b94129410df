"""Pushing jobs: to Redis at once or after a commit; while the clock runs an event's action, into its firing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain

from clock.clocks import Clock, SystemClock
from clock.errors import NotFaked, StoreError
from clock.job.delays import Time, due_at
from clock.job.middleware.defaults import client_middleware_for
from clock.job.options import Order
from clock.job.payload import seconds
from clock.job.push.arguments import checked_arguments
from clock.job.push.bulk_arguments import check_all
from clock.job.push.carriers import Batches, Carrier, Collector, ToRedis
from clock.job.push.payload_builder import pack_all, pack_one
from clock.job.types import JobClass, OnCommit
from clock.store.jobs.queues import Parcel
from clock.store.ledger import held_pushes

BULK_BATCH = 1_000  # jobs in one command to Redis, as Sidekiq's push_bulk

_clock: Clock = SystemClock()
_carrier: Carrier = ToRedis()


@contextmanager
def using_clock(clock: Clock) -> Iterator[None]:
    """Stamp payloads with the time of `clock` inside the block."""
    global _clock  # the client's time is the process's own, but for tests
    before, _clock = _clock, clock
    try:
        yield
    finally:
        _clock = before


def carrier() -> Carrier:
    """What takes pushed jobs: Redis, or what a test has put in its place."""
    return _carrier


def set_carrier(carrier: Carrier) -> None:
    """Hand pushed jobs to `carrier` from now on, in all threads: a test reaches into all of an application."""
    global _carrier  # see above
    _carrier = carrier


def collector(job: JobClass, asked: str) -> Collector:
    """What collects the jobs that are pushed. Raises NotFaked outside a test that does."""
    if isinstance(_carrier, Collector):
        return _carrier
    raise NotFaked(f"{job.wire_name}.{asked}")


def clock() -> Clock:
    """What tells the client's time."""
    return _clock


def now() -> float:
    """The client's time, in float seconds since 1970."""
    return seconds(_clock.now())


def due(job_name: str, when: Time) -> float:
    """When a job is due, in float seconds since 1970. Raises ValueError for what is no time."""
    try:
        return due_at(when, now())
    except ValueError as error:
        raise ValueError(f"{job_name}: {error}") from None


def push(order: Order, args: Sequence[object], kwargs: Mapping[str, object], due: float | None = None) -> str:
    """Push one job, to be run at once or when it is `due` (float seconds since 1970); its jid.

    Raises ArgumentsError, StoreUnavailable.
    """
    jid, parcels = _packed(order, args, kwargs, due)
    if parcels:
        _deliver([parcels], order.on_commit or order.job.enqueue_after_commit)
    return jid


async def apush(
    order: Order, args: Sequence[object], kwargs: Mapping[str, object], due: float | None = None
) -> str:
    """The same without blocking the event loop."""
    jid, parcels = _packed(order, args, kwargs, due)
    if parcels:
        await _adeliver([parcels], order.on_commit or order.job.enqueue_after_commit)
    return jid


def push_all(order: Order, batches: Sequence[Sequence[object]], due: Sequence[float] | None) -> list[str]:
    """Push one job for each list of arguments, a thousand at a time; their jids in order.

    All arguments are checked before any job is pushed. `due`: when each is to be run, in float seconds since 1970.
    Raises ArgumentsError, StoreUnavailable, whose `pushed` says how many jobs were pushed before.
    """
    jids: list[str] = []
    if batches:
        with _counted(len(batches)):
            _deliver(_all_packed(order, batches, due, jids), order.on_commit or order.job.enqueue_after_commit)
    return jids


async def apush_all(order: Order, batches: Sequence[Sequence[object]], due: Sequence[float] | None) -> list[str]:
    """The same without blocking the event loop."""
    jids: list[str] = []
    if batches:
        packed = await asyncio.to_thread(_all_packed, order, batches, due, jids)
        with _counted(len(batches)):
            await _adeliver(packed, order.on_commit or order.job.enqueue_after_commit)
    return jids


@contextmanager
def _counted(total: int) -> Iterator[None]:
    """Add to an error of Redis how many of the jobs it has."""
    try:
        yield
    except StoreError as error:
        if total <= BULK_BATCH:
            raise
        pushed = min(error.answered * BULK_BATCH, total)
        unknown = min(BULK_BATCH, total - pushed)
        text = (
            f"{error} {pushed} of {total} jobs were pushed before; the next {unknown} may have been pushed, too."
        )
        counted = type(error)(text, cause=error.cause)
        counted.pushed = pushed
        raise counted from error


def _packed(
    order: Order, args: Sequence[object], kwargs: Mapping[str, object], due: float | None
) -> tuple[str, list[Parcel]]:
    args = checked_arguments(order.job.wire_name, order.job.perform, args, kwargs)
    time = now()
    if due is None and order.when is not None:
        due = due_at(order.when, time)
    return pack_one(order.job, order.options, args, due, time)


def _all_packed(
    order: Order, batches: Sequence[Sequence[object]], due: Sequence[float] | None, jids: list[str]
) -> Batches:
    """The parcels of each thousand jobs, made when they are asked for; their jids are added to `jids` then."""
    check_all(order.job.wire_name, order.job.perform, batches)
    time = now()

    def made() -> Iterator[list[Parcel]]:
        for start in range(0, len(batches), BULK_BATCH):
            part = slice(start, start + BULK_BATCH)
            some, parcels = pack_all(order.job, order.options, batches[part], due[part] if due else None, time)
            jids.extend(some)
            yield parcels

    # A middleware may push by itself, and must not wait for the connection to which these are on their way.
    return list(made()) if client_middleware_for({}) else made()


def _deliver(batches: Batches, on_commit: OnCommit | None) -> None:
    if on_commit:
        batches = list(batches)
        if _is_waiting(batches, on_commit):
            return
    held = held_pushes.current()
    if held:
        held.hold(chain.from_iterable(batches))
    else:
        _carrier.carry(batches)


async def _adeliver(batches: Batches, on_commit: OnCommit | None) -> None:
    if on_commit:
        batches = list(batches)
        if _is_waiting(batches, on_commit):
            return
    if held_pushes.current():
        _deliver(batches, None)
    else:
        await _carrier.acarry(batches)


def _is_waiting(batches: Batches, on_commit: OnCommit) -> bool:
    """Whether the jobs will be delivered after a commit; False: there is no transaction, they can go now."""
    asking, free = True, False

    def push() -> None:
        nonlocal free
        if asking:
            free = True
        else:
            _deliver(batches, None)

    on_commit(push)
    asking = False
    return not free
