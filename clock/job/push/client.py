"""From the arguments of a push to parcels of jobs, and to their receiver: Redis, or a test's collector.

Jobs that are pushed while the clock runs an event's action go into its firing. Jobs that wait for a commit are
delivered after it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache, partial
from itertools import chain, repeat

from clock.clocks import Clock, SystemClock
from clock.errors import ArgumentsError, BatchDone, JobError, NotFaked, NotUnique
from clock.job.context import JobClass, OnCommit
from clock.job.encryption import check_secret
from clock.job.flow.unique import unique_of
from clock.job.middleware.defaults import client_middleware_for
from clock.job.options import RULES, Order
from clock.job.payload import seconds
from clock.job.push import filling
from clock.job.push.arguments import check_arity, check_json, checked_arguments
from clock.job.push.bulk_arguments import check_all
from clock.job.push.carriers import Batches, Carrier, Collector, spread
from clock.job.push.payload_builder import check_rules_of, pack_all, pack_one
from clock.job.push.template import template_of
from clock.job.shared_value import SharedValue
from clock.store import Redis
from clock.store.jobs.flow import batches as stored
from clock.store.jobs.flow import unique_locks
from clock.store.jobs.flow.unique_locks import LockedPush
from clock.store.jobs.queues import Parcel, push_commands
from clock.store.ledger import held_pushes
from clock.store.server import connection
from clock.store.server.loop_link import LoopLinks, opened
from clock.store.server.sending import durable_of, push_seconds, send, send_one, send_to_places
from clock.store.server.shards import shards_of

BULK_BATCH = 1_000  # jobs in one command to Redis, as Sidekiq's push_bulk

_monotonic = SystemClock().monotonic
logger = logging.getLogger("clock.job")


class ToRedis:
    """The carrier of an application that runs."""

    def __init__(self) -> None:
        self._links = LoopLinks()

    def carry(self, batches: Batches) -> None:
        """Push them by the default connection. Raises StoreUnavailable."""
        redis = connection.default()
        if (
            isinstance(batches, list)
            and len(batches) == 1
            and not batches[0][0].locks
            and shards_of(redis) is None
        ):
            send_one(redis, push_commands(batches[0], durable_of(redis)), within=push_seconds(redis))
        else:
            _send(redis, batches, push_seconds(redis))

    def open_batch(self, bid: str, batch: stored.Batch) -> str:
        """Open a batch in Redis. Raises StoreUnavailable."""
        return stored.open_batch(connection.default(), bid, batch, now=clock().now())

    def seal_batch(self, bid: str) -> str:
        """Seal a batch in Redis. Raises StoreUnavailable."""
        return stored.seal(connection.default(), bid, now=clock().now())

    async def acarry(self, batches: Batches) -> None:
        """Push them in a thread, or by the connection that a loop gets after some pushes.

        The threads are the carrier's own: while Redis does not answer, the application's `to_thread` goes on. The
        time that a push waits for a thread counts against its limit.
        """
        if isinstance(batches, list) and len(batches) == 1:
            link = self._links.usable(connection.opened_default())
            is_plain = not any(parcel.durable or parcel.locks for parcel in batches[0])
            if link and is_plain and await link.push(push_commands(batches[0])):
                return
        push = partial(self._carry_late, batches, _monotonic())
        in_thread = partial(asyncio.get_running_loop().run_in_executor, _threads(os.getpid()))
        await in_thread(copy_context().run, push)
        redis = connection.opened_default()
        if redis is not None and shards_of(redis) is None and self._links.is_due(redis):
            self._links.use(await in_thread(opened, redis))

    def _carry_late(self, batches: Batches, since: float) -> None:
        redis = connection.default(spent=_monotonic() - since)
        _send(redis, batches, push_seconds(redis) - (_monotonic() - since))


def _send(redis: Redis, batches: Batches, within: float) -> None:
    if isinstance(batches, list) and any(parcel.locks for batch in batches for parcel in batch):
        _send_locked(redis, chain.from_iterable(batches))
    elif shards_of(redis) is not None:
        spread_batches = (
            [(place, push_commands(parcels, durable_of(place))) for place, parcels in spread(redis, batch)]
            for batch in batches
        )
        send_to_places(spread_batches, within=within)
    else:
        durable = durable_of(redis)
        send(redis, (push_commands(parcels, durable) for parcels in batches), within=within)


def _send_locked(redis: Redis, parcels: Iterable[Parcel]) -> None:
    pushes = [
        LockedPush(lock, parcel.queue, text, at, parcel.durable)
        for parcel in parcels
        for lock, text, at in zip(parcel.locks or (), parcel.payloads, parcel.at or repeat(None), strict=False)
    ]
    simulated_ms = None if isinstance(_clock, SystemClock) else int(1000 * now())  # None: Redis's time counts
    for start in range(0, len(pushes), BULK_BATCH):
        unique_locks.push(redis, pushes[start : start + BULK_BATCH], now_ms=simulated_ms)


@cache
def _threads(pid: int) -> ThreadPoolExecutor:
    """The threads of a process: a forked child has none of its parent's."""
    return ThreadPoolExecutor(connection.DEFAULT_CONNECTIONS, thread_name_prefix=f"push-{pid}")


_clock: Clock = SystemClock()
_carrier: SharedValue[Carrier] = SharedValue("carrier", ToRedis())

#: Sets the receiver of pushed jobs: of all threads, as a test reaches into all of an application, or of one.
change_carrier = _carrier.change
#: The receiver of pushed jobs: Redis, or a test's receiver.
carrier = _carrier.get


@contextmanager
def using_clock(clock: Clock) -> Iterator[None]:
    """Stamp payloads with the time of `clock` inside the block: in clocks and workers, with Redis's time."""
    global _clock  # the client's time is that of the whole process
    before, _clock = _clock, clock
    try:
        yield
    finally:
        _clock = before


def collector(job: JobClass, asked: str) -> Collector:
    """The collector of pushed jobs. Raises NotFaked outside a test that fakes pushes."""
    found = carrier()
    if isinstance(found, Collector):
        return found
    raise NotFaked(f"{job.wire_name}.{asked}")


def clock() -> Clock:
    """The client's source of time."""
    return _clock


def now() -> float:
    """The client's time, in float seconds since 1970."""
    return seconds(_clock.now())


def push_own(job: JobClass, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """`push` of a job with the options of its class. Most pushes need no more than its template."""
    template = template_of(job)
    if not template.head or held_pushes.current() or filling.current():
        return push(Order(job), args, kwargs)
    args = checked_arguments(job.wire_name, job.perform, args, kwargs)
    try:
        jid, parcel = template.filled_in(args, seconds(_clock.now()))
    except (TypeError, ValueError, RecursionError):
        return push(Order(job), args, {})  # it finds the argument that has no JSON
    carrier().carry([[parcel]])
    return jid


def push(order: Order, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """Push a job, or keep it for a commit or the firing; its jid. Raises as `packed`; StoreUnavailable."""
    jid, parcels = packed(order, args, kwargs)
    if parcels and not is_kept(order, [parcels]):
        carrier().carry([parcels])
        if parcels[0].locks:
            return settled(order, [jid], [parcels])[0]
    return jid


def packed(order: Order, args: Sequence[object], kwargs: Mapping[str, object]) -> tuple[str, list[Parcel]]:
    """The jid of a job and its parcel; '' and none if middleware stopped it. Raises ArgumentsError, ValueError."""
    jid, parcels = pack_one(order, checked(order, args, kwargs), now())
    return jid, _with_options(order, parcels)


def _with_options(order: Order, parcels: list[Parcel]) -> list[Parcel]:
    """The parcels, with the options of the push that are not in payloads. Raises JobError."""
    name = order.job.wire_name
    if order.at_front:
        if any(parcel.locks for parcel in parcels):
            if filling.current():
                raise JobError(f"{name}: at_front is not for jobs in a batch; remove it")
            raise JobError(f"{name}: at_front is not for unique jobs; remove it, or set unique=False")
        if held_pushes.current() or any(parcel.at is not None for parcel in parcels):
            raise JobError(f"{name}: at_front is for jobs that are enqueued now, not by an event")
    for parcel in parcels:
        parcel.at_front, parcel.durable = order.at_front, order.durable
    return parcels


def check(order: Order, args: Sequence[object]) -> None:
    """Check the arguments of an order, also with the functions in its rules. Raises JobError."""
    name = order.job.wire_name
    check_arity(name, order.job.perform, args)
    check_json(name, args)
    if order.options.get("encrypt", order.job.encrypt):
        check_secret(name, args)
    if any(order.options.get(rule, getattr(order.job, rule)) for rule in RULES):
        check_rules_of(order, args)


def checked(order: Order, args: Sequence[object], kwargs: Mapping[str, object]) -> Sequence[object]:
    """The arguments of one push by position. Raises ArgumentsError, without values if the class encrypts them."""
    try:
        return checked_arguments(order.job.wire_name, order.job.perform, args, kwargs)
    except ArgumentsError as error:
        raise _without_values(order, error) from None


def _without_values(order: Order, error: ArgumentsError) -> ArgumentsError:
    """The error, without values if they are encrypted."""
    if not order.options.get("encrypt", order.job.encrypt):
        return error
    return ArgumentsError(
        f"{order.job.wire_name}: perform cannot take these arguments, or JSON does not support one of them; "
        "an encrypted job's values are not shown"
    )


def packed_all(
    order: Order, batches: Sequence[Sequence[object]], due: Sequence[float] | None, jids: list[str]
) -> Batches:
    """The parcels of each thousand jobs, made while the caller iterates; their jids are then added to `jids`.

    `due` is the run time of each job, in float seconds since 1970. All arguments are checked first. Raises
    ArgumentsError.
    """
    try:
        check_all(order.job.wire_name, order.job.perform, batches)
    except ArgumentsError as error:
        raise _without_values(order, error) from None
    time = now()

    def made() -> Iterator[list[Parcel]]:
        for start in range(0, len(batches), BULK_BATCH):
            part = slice(start, start + BULK_BATCH)
            some, parcels = pack_all(order, batches[part], due[part] if due else None, time)
            jids.extend(some)
            if parcels:  # else middleware has stopped all of them
                yield _with_options(order, parcels)

    # All at once if middleware may push by itself: it must not wait for the connection that these are sent by.
    is_at_once = is_locked(order) or client_middleware_for({}) or order.on_commit or order.job.enqueue_after_commit
    return list(made()) if is_at_once else made()


def is_kept(order: Order, batches: Batches) -> bool:
    """Keep the jobs for a commit, or for the firing under way. False: the caller must send them now."""
    on_commit = order.on_commit or order.job.enqueue_after_commit
    if on_commit and filling.current():
        raise JobError(f"{order.job.wire_name}: enqueue_after_commit is not for jobs in a batch; set it to None")
    if on_commit and _waits_for_commit(order, batches, on_commit):
        return True
    held = held_pushes.current()
    if held is None:
        return False
    held.hold(chain.from_iterable(batches))
    return True


def is_locked(order: Order) -> bool:
    """Whether a script pushes the order's jobs, because they are unique or in a batch."""
    return filling.current() is not None or unique_of(order.options.get("unique", order.job.unique)) is not None


def settled(order: Order, jids: Sequence[str], batches: Batches) -> list[str]:
    """The jids of a push, with the holder's jid for each job that another one kept out. Raises NotUnique.

    Jobs of a batch that is done were not pushed. Raises BatchDone for a job's own batch, and logs others.
    """
    locks = [lock for parcel in chain.from_iterable(batches) for lock in parcel.locks or ()]
    batch = filling.current()
    if batch and any(lock.is_late for lock in locks):
        if batch.adder:
            raise BatchDone(order.job.wire_name, batch.bid)
        logger.warning("Pushed no %s: the batch %s is done", order.job.wire_name, batch.bid)
    holders = {lock.jid: lock.holder for lock in locks if lock.holder}
    for lock in locks:
        if lock.holder and lock.conflict == "raise":
            raise NotUnique(order.job.wire_name, lock.holder)
    return [holders.get(jid, jid) for jid in jids]


def _waits_for_commit(order: Order, batches: Batches, on_commit: OnCommit) -> bool:
    """Whether the jobs are sent after a commit; False: no transaction is open, so the caller sends them now."""
    asking, free, route = True, False, connection.routed()

    def push() -> None:
        nonlocal free
        held = held_pushes.current()
        if asking:
            free = True
        elif held and route is None:
            held.hold(chain.from_iterable(batches))
        else:
            with connection.via(route):
                carrier().carry(batches)

    on_commit(push)
    asking = False
    return not free
