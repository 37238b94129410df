"""Making payloads: from a job class and arguments to parcels that are ready to be sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import datetime
from functools import partial
from typing import Any, cast

from clock.config.setting_types import NAME_RULE, queue_name
from clock.errors import JobError
from clock.job.context import JobClass
from clock.job.encryption import check_secret, encrypted_args
from clock.job.flow.limits import depends_on_arguments, rule_fields
from clock.job.flow.unique import Unique
from clock.job.middleware.chain import ClientMiddleware, allows
from clock.job.middleware.defaults import client_middleware_for
from clock.job.options import Order, Signature, payload_fields
from clock.job.payload import (
    INTERVAL_LIMIT,
    Payload,
    decode,
    due_as_put,
    due_at,
    encode,
    encode_checked,
    in_seconds,
    new_jid,
)
from clock.job.push import filling
from clock.job.push.arguments import check_json
from clock.job.push.bulk_arguments import encode_all, new_jids
from clock.job.push.carriers import stays_at_home
from clock.store.jobs.delayed import LOOK_SECONDS
from clock.store.jobs.flow.unique_locks import Lock
from clock.store.jobs.queues import Parcel
from clock.store.ledger import held_pushes

#: Errors of a function in a rule that waiting does not cure.
_MISTAKES = (TypeError, NameError, AttributeError, LookupError, ArithmeticError, ValueError)


def pack_one(order: Order, args: Sequence[object], now: float) -> tuple[str, list[Parcel]]:
    """The jid of one job and its parcel; '' and no parcel if middleware stopped the push. Raises ValueError."""
    due = None
    if order.when is not None:
        try:
            due = due_at(order.when, now)
        except ValueError as error:
            raise ValueError(f"{order.job.wire_name}: {error}") from None
    fields = payload_fields(order.job, order.options)
    return _packed(order.job, fields, client_middleware_for(fields), args, due, now)


def pack_all(
    order: Order, batches: Sequence[Sequence[object]], due: Sequence[float] | None, now: float
) -> tuple[list[str], list[Parcel]]:
    """The jids and parcels of many jobs, each with its own list of arguments and its own time in `due`."""
    job, fields = order.job, payload_fields(order.job, order.options)
    middleware = client_middleware_for(fields)
    is_plain = held_pushes.current() is None and filling.current() is None and not middleware
    if is_plain and fields.keys().isdisjoint({"encrypt", "unique", "then"}) and not depends_on_arguments(fields):
        jids, parcels = _packed_at_once(_with_rules(job, fields, ()), batches, due, now)
        if stays_at_home(job, fields):
            for parcel in parcels:
                parcel.jids = None
        return jids, parcels
    jids, parcels = [], []
    token = _in_bulk.set(True)
    try:
        for index, args in enumerate(batches):
            jid, packed = _packed(job, fields, middleware, args, due[index] if due else None, now)
            jids.append(jid)
            parcels += packed
    finally:
        _in_bulk.reset(token)
    return jids, _merged(parcels)


_in_bulk: ContextVar[bool] = ContextVar("clock_in_bulk", default=False)
#: Returns whether the push that client middleware is called for is one of many.
is_bulk = _in_bulk.get


def _with_rules(job: JobClass, payload: Payload, args: Sequence[object]) -> Payload:
    """The payload with its limits and rates. They come first, and then the jid, as the claim reads only these."""
    rules = rule_fields(job, payload, args)
    if not rules:
        return payload
    jid = {"jid": payload["jid"]} if "jid" in payload else {}
    return {**rules, **jid, **payload, **rules}


def check_rules_of(order: Order, args: Sequence[object]) -> None:
    """Check that the functions in the job's rules accept these arguments. Raises JobError.

    A function may fail for a reason that can be gone at the push: a database that does not answer.
    """
    job, fields = order.job, payload_fields(order.job, order.options)
    single = [{option: [rule]} for option in ("limits", "rates") for rule in fields.get(option, ())]
    checks: list[Callable[[], object]] = [partial(_set_lock, job, {**fields, "jid": ""}, args)]
    checks += [partial(rule_fields, job, rules, args) for rules in (*single, fields)]
    for check in checks:
        try:
            check()
        except JobError as error:
            if error.__cause__ is None or isinstance(error.__cause__, _MISTAKES):
                raise


def payload_as_read(order: Order, args: Sequence[object], now: float) -> Payload | None:
    """The payload of a job pushed now, as a worker would read it; None if client middleware stopped the push."""
    job, fields = order.job, payload_fields(order.job, order.options)
    if "then" in fields:
        raise JobError(f"{job.wire_name}: perform_inline pushes no following job; remove then=, or push the job")
    jid = fields.get("jid") or new_jid()
    payload = {**fields, "args": list(args), "jid": jid, "created_at": now, "enqueued_at": now}
    _set_lock(job, payload, args)
    payload = _with_rules(job, payload, args)
    middleware = client_middleware_for(fields)
    if not allows(middleware, job, payload):
        return None
    if payload.get("encrypt"):
        check_secret(job.wire_name, args)
    return cast("Payload", decode(_text(job, payload, bool(middleware)).encode()))


def _packed(
    job: JobClass,
    fields: Payload,
    middleware: tuple[ClientMiddleware, ...],
    args: Sequence[object],
    due: float | None,
    now: float,
) -> tuple[str, list[Parcel]]:
    held, batch = held_pushes.current(), filling.current()
    jid = _jid_for(fields, args)
    payload = {**fields, "args": list(args), "jid": jid, "created_at": now}
    lock = _set_lock(job, payload, args)
    payload = _with_rules(job, payload, args)
    if isinstance(following := payload.get("then"), Signature):
        payload["then"] = _then(following, jid, now)
    if batch:
        payload["bid"] = batch.bid
        lock = lock or Lock("", jid)
        lock.bid = batch.bid
    if held and held.clock_field:
        payload["clock"] = held.clock_field
    if due is not None and due > now:
        payload["at"] = due
    if middleware and not allows(middleware, job, payload):
        if held:
            held.give_back_jid(jid)
        return "", []
    if payload.get("encrypt"):
        payload["args"] = encrypted_args(payload)
    return str(payload["jid"]), [_parcel(job, payload, lock, bool(middleware), now)]


def _jid_for(fields: Payload, args: Sequence[object]) -> str:
    """The jid of the next job: its own, which it takes out of `fields`, or a new one."""
    held, batch, own = held_pushes.current(), filling.current(), fields.pop("jid", None)
    if own is not None:
        if held:
            held.jids.append(str(own))
        return str(own)
    if held:
        return held.next_jid()
    return batch.next_jid(fields, args) if batch else new_jid()


def _set_lock(job: JobClass, payload: Payload, args: Sequence[object]) -> Lock | None:
    """Put the lock into the payload of a unique job. None: the job is not unique."""
    rule = payload.get("unique")
    if not isinstance(rule, Unique):
        return None
    if payload.get("encrypt"):
        check_secret(job.wire_name, args)
        rule.check_encrypted(job, args)
    lock = rule.lock(job, args, str(payload["jid"]))
    payload["unique"] = {"key": lock.key, "until": rule.until, "conflict": lock.conflict}
    return lock


def _parcel(job: JobClass, payload: Payload, lock: Lock | None, changed: bool, now: float) -> Parcel:
    """The parcel of a payload, as it is now: middleware may have `changed` its jid, queue and time."""
    queue = queue_name(payload.get("queue"))
    if queue is None:
        given = f"{payload.get('queue')!r:.60}"
        raise JobError(
            f"{job.wire_name}: client middleware put {given} instead of a queue name; it must be {NAME_RULE}"
        )
    at, jid = due_as_put(payload.pop("at", None), now), str(payload["jid"])
    if at <= now:
        payload["enqueued_at"] = now
    parcel = Parcel(queue, [_text(job, payload, changed)])
    if at > now:
        parcel.at, parcel.is_near = [at], at - now < LOOK_SECONDS
    if not stays_at_home(job, payload):
        parcel.jids = [jid]
    if lock is not None:
        lock.jid = jid
        parcel.locks = [lock]
    return parcel


def _packed_at_once(
    fields: Payload, batches: Sequence[Sequence[object]], due: Sequence[float] | None, now: float
) -> tuple[list[str], list[Parcel]]:
    jids, queue = new_jids(len(batches)), str(fields["queue"])
    stamped = {**fields, "created_at": now}
    later = [index for index, at in enumerate(due) if at > now] if due else []
    parcels = []
    if len(later) < len(batches):
        delayed = set(later)
        soon = [index for index in range(len(batches)) if index not in delayed] if delayed else None
        texts = encode_all({**stamped, "enqueued_at": now}, _some(batches, soon), _some(jids, soon))
        parcels.append(Parcel(queue, texts, jids=list(_some(jids, soon))))
    if due and later:
        texts = encode_all(stamped, _some(batches, later), _some(jids, later))
        at = [due[index] for index in later]
        near = min(at) - now < LOOK_SECONDS
        parcels.append(Parcel(queue, texts, at, is_near=near, jids=list(_some(jids, later))))
    return jids, parcels


def _some(items: Sequence[Any], indexes: list[int] | None) -> Sequence[Any]:
    return items if indexes is None else [items[index] for index in indexes]


def _merged(parcels: list[Parcel]) -> list[Parcel]:
    """One parcel for each queue, and one for the schedule, in their order."""
    merged: dict[tuple[str, bool, bool], Parcel] = {}
    for parcel in parcels:
        kind = parcel.queue, parcel.at is None, parcel.jids is None
        whole = merged.setdefault(kind, Parcel(parcel.queue, [], parcel.at and [], jids=parcel.jids and []))
        whole.payloads += parcel.payloads
        if whole.jids is not None and parcel.jids:
            whole.jids += parcel.jids
        if whole.at is not None and parcel.at is not None:
            whole.at += parcel.at
            whole.is_near |= parcel.is_near
        if parcel.locks:
            whole.locks = [*(whole.locks or ()), *parcel.locks]
    return list(merged.values())


def _text(job: JobClass, payload: Payload, changed: bool) -> str:
    """The payload's JSON. Raises ArgumentsError if an argument has no JSON."""
    try:
        text = encode(payload) if changed else encode_checked(payload)
        text.isascii() or text.encode()
    except (TypeError, ValueError, RecursionError) as error:  # UnicodeEncodeError is a ValueError
        args = payload["args"]
        check_json(job.wire_name, args if isinstance(args, list) else [args])
        raise JobError(f"{job.wire_name}: the payload cannot be encoded as JSON: {error}") from error
    return text


def _then(signature: Signature, jid: str, now: float) -> dict[str, Any]:
    """The field `then` of the payload of the job `jid`. It is in the same batch. Raises JobError."""
    following = filling.jid_after(jid, "then")
    batch = filling.current()
    field: dict[str, Any] = {"payload": payload_text(signature, following, now), "jid": following}
    if batch:
        field["bid"] = batch.bid
    when = signature.order.when
    if isinstance(when, datetime) or (isinstance(when, (int, float)) and when >= INTERVAL_LIMIT):
        field["at"] = due_at(when, now)
    elif when is not None:
        field["wait"] = in_seconds(when)
    return field


def payload_text(signature: Signature, jid: str, now: float) -> str:
    """The payload of a job that a script will push. Raises JobError; '' if client middleware stopped it."""
    order, name = signature.order, signature.order.job.wire_name
    if order.on_commit or order.at_front or order.durable or "jid" in order.options:
        raise JobError(f"{name}: a job that follows another one cannot have jid, at_front, durable or a commit")
    with held_pushes.holding_in(None):  # the firing does not push it
        later = Order(order.job, {**order.options, "jid": jid}, when=1.0)
        _, parcels = pack_one(later, signature.args, now)
    for parcel in parcels:
        if parcel.locks and parcel.locks[0].key:
            raise JobError(f"{name}: a job that follows another one cannot be unique; write .set(unique=False)")
    return parcels[0].payloads[0] if parcels else ""
