"""Pushing jobs: into Redis at once or, while the clock runs an event's action, into its firing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clock.clocks import Clock, SystemClock
from clock.job.chains import client_middleware
from clock.job.middleware import allows
from clock.job.payload import encode, instant, new_jid, seconds
from clock.store import connection, holding, queues
from clock.store.holding import Push

if TYPE_CHECKING:
    from clock.job.job import Job

BULK_BATCH = 1_000  # jobs in one command to Redis, as Sidekiq's push_bulk
INTERVAL_LIMIT = 1_000_000_000  # a smaller number is an interval, a larger one an instant, as in Sidekiq

_clock: Clock = SystemClock()


@contextmanager
def using_clock(clock: Clock) -> Iterator[None]:
    """Stamp payloads with the time of `clock` inside the block."""
    global _clock  # the client's time is the process's own, but for tests
    before, _clock = _clock, clock
    try:
        yield
    finally:
        _clock = before


def push(
    job: type[Job],
    fields: Mapping[str, Any],
    batches_of_args: Sequence[Sequence[object]],
    at: Sequence[float] | None,
) -> list[str]:
    """Push one job for each list of arguments and return their jids.

    `fields` holds what their payloads have in common; `at` is when each is due, in float seconds since 1970,
    or None for now. A jid is '' where a client middleware stopped the push. Raises StoreUnavailable.
    """
    now = seconds(_clock.now())
    held = holding.current()
    pushes, jids = [], []
    for index, args in enumerate(batches_of_args):
        jid = held.next_jid() if held else new_jid()
        payload: dict[str, object] = {**fields, "args": list(args), "jid": jid, "created_at": now}
        if held:
            payload["clock"] = held.clock_field
        if at and at[index] > now:
            payload["at"] = at[index]
        if not allows(client_middleware, job, payload):
            jids.append("")
            continue
        due = instant(payload.pop("at", None))
        if due is None:
            payload["enqueued_at"] = now
        pushes.append(Push(encode(payload), str(payload["queue"]), due))
        jids.append(jid)
    if held:
        held.pushes.extend(pushes)
    else:
        redis = connection.default()
        for start in range(0, len(pushes), BULK_BATCH):
            queues.push(redis, pushes[start : start + BULK_BATCH])
    return jids


def due_at(when: float | datetime) -> float:
    """When a delayed job is due, in float seconds since 1970.

    `when` is an interval in seconds from now, seconds since 1970, or an aware datetime. Raises ValueError.
    """
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise ValueError(f"{when!r} has no time zone; pass an aware datetime")
        return seconds(when)
    return when if when >= INTERVAL_LIMIT else seconds(_clock.now()) + when
