"""Sending commands that run apart from each other, in as few round trips as can be: how jobs are pushed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from hiredis import pack_command
from redis import Redis
from redis.exceptions import BusyLoadingError, RedisError, ResponseError

from clock.clocks import SystemClock
from clock.errors import StoreError
from clock.store.server.client import PUSH_SECONDS
from clock.store.server.connection import lent, translated
from clock.store.server.pool import Pool

_monotonic = SystemClock().monotonic

Command = tuple[str | bytes | float, ...]


def send(redis: Redis, batches: Iterable[Sequence[Command]], *, within: float) -> None:
    """Send commands, without a transaction, a round trip for each batch.

    `within` limits the seconds until the first answer, and then those of each answer. While the server works on a
    batch, the next one is made; so `batches` had better be a generator. A pipeline of the client library waits for
    each, and costs twice as much, which every push would pay. If a server refuses a batch because another one is
    the primary now, the batch is sent there. Raises StoreUnavailable, StoreError; their `answered` says how many
    batches had been answered.
    """
    answered, rest, since = 0, iter(batches), _monotonic()
    try:
        with translated():
            for is_last in (False, True):
                try:
                    with lent(redis, within=within - (_monotonic() - since)) as link:
                        for _ in _exchange(link, rest):
                            answered += 1
                    return
                except _RefusedError as refusal:
                    if is_last:
                        raise refusal.error from None
                    rest = chain(refusal.batches, rest)
    except StoreError as error:
        error.answered = answered
        raise


class _RefusedError(Exception):
    """No command of a batch was run, as the server is not the primary. `batches` have still to be sent."""

    def __init__(self, error: RedisError, batches: Sequence[Sequence[Command]]) -> None:
        super().__init__()
        self.error = error
        self.batches = batches


def _exchange(link: Any, batches: Iterable[Sequence[Command]]) -> Iterator[None]:
    """Send each batch when the one before is answered; yields after each answered one."""
    unread: Sequence[Command] = ()
    pack: Callable[..., bytes] = getattr(link, "packed", pack_command)
    for commands in batches:
        packed = b"".join([pack(command) for command in commands])
        if unread:
            _read(link, unread, commands)
            yield
        link.send_packed_command([packed])
        unread = commands
    if unread:
        _read(link, unread)
        yield


def _read(link: Any, unread: Sequence[Command], *next_batch: Sequence[Command]) -> None:
    """Read the answers to a batch. Raises _RefusedError if a server that is not the primary refused them."""
    refusals: list[RedisError] = []
    for _ in unread:
        try:
            link.read_response(disconnect_on_error=False)  # the answers to the other commands come next
        except (ResponseError, BusyLoadingError) as error:
            if not link.is_elsewhere:
                raise
            refusals.append(error)
    if refusals:
        raise _RefusedError(refusals[0], [unread, *next_batch]) if len(refusals) == len(unread) else refusals[0]


def push_seconds(redis: Redis) -> float:
    """How long a push may take in all."""
    pool = redis.connection_pool
    return pool.limits.push if isinstance(pool, Pool) else PUSH_SECONDS
