"""Sends independent commands in few round trips: pushes, and what a process sends each few seconds."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import Any

from redis import Redis
from redis.commands.core import Script
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    MovedError,
    NoScriptError,
    RedisError,
    ResponseError,
)

from clock.clocks import SystemClock, monotonic
from clock.errors import StoreError
from clock.store.server.client import PUSH_SECONDS
from clock.store.server.connection import lent, translated
from clock.store.server.durable import check_replicated
from clock.store.server.faults import fault_of
from clock.store.server.pool import Place, Pool, packed

Command = tuple[str | bytes | float, ...]
PAUSE_SECONDS = 0.05  # between two tries while a slot of a cluster moves


def send_one(redis: Redis, commands: Sequence[Command], *, within: float) -> None:
    """`send` for one batch. Raises StoreUnavailable, StoreError.

    If an open connection is free, it uses that one and calls little else. Commands that were answered with an
    error were not run. `send` sends these again: it finds the server that accepts them, or raises the error.
    """
    since, pool = monotonic(), redis.connection_pool
    link: Any = pool.take_open() if isinstance(pool, Pool) and commands[-1][0] != "WAIT" else None
    if link is not None:
        try:
            answers = link.exchange(b"".join([link.packed(command) for command in commands]), len(commands))
        except BaseException:
            link.disconnect()
            with translated():
                raise
        finally:
            pool.release(link)
        commands = [one for one, answer in zip(commands, answers, strict=True) if isinstance(answer, Exception)]
    if commands:
        send(redis, [commands], within=within - (monotonic() - since))


def send(redis: Redis, batches: Iterable[Sequence[Command]], *, within: float) -> None:
    """Send commands, without a transaction, a round trip for each batch.

    `within` limits the seconds until the first answer, and then for each answer. While the server works on a
    batch, the next one is made; so `batches` should be a generator. A pipeline of the client library waits for
    each, and costs twice as much, which every push would pay. If a server refuses commands because another one is
    the primary now, they are sent there, once; in a cluster until they succeed or the time is over. Raises
    StoreUnavailable, StoreError; their `answered` is the number of batches that were answered.
    """
    answered, rest, since = 0, iter(batches), monotonic()
    in_cluster = getattr(redis.connection_pool, "in_cluster", False)
    tries = 0
    try:
        with translated():
            while True:
                left = within - (monotonic() - since)
                try:
                    with lent(redis, within=left) as link:
                        for _ in _exchange(link, rest):
                            answered += 1
                    return
                except _RefusedError as refusal:
                    tries += 1
                    if tries > 1 and not in_cluster:
                        raise refusal.error from None
                    rest = chain(_left_over(redis, refusal, since + within), rest)
    except StoreError as error:
        error.answered = answered
        raise


def ask_all(redis: Redis, commands: Sequence[Command]) -> list[Any]:
    """The answers to commands that one round trip takes to Redis. The error of a refused command is its answer.

    A pipeline of the client library costs twice as much. Raises the client library's errors.
    """
    with lent(redis) as link:
        link.send_packed_command([packed(link, commands)])
        return _answers(link, len(commands))


def checked(answers: list[Any]) -> list[Any]:
    """The answers. Raises the first error among them."""
    for error in _errors(answers):
        raise error
    return answers


def ask_script(redis: Redis, script: Script, commands: Sequence[Command]) -> list[Any]:
    """The answers to commands that run `script` by its hash: a server that was restarted gets it again.

    All these commands may be repeated. Raises the first error.
    """
    try:
        return checked(ask_all(redis, commands))
    except NoScriptError:
        redis.script_load(script.script)
        return checked(ask_all(redis, commands))


def _answers(link: Any, count: int) -> list[Any]:
    answers = list[Any]()
    for _ in range(count):
        try:
            answers.append(link.read_response(disconnect_on_error=False))  # the next answers follow an error
        except (ResponseError, BusyLoadingError) as error:
            answers.append(error)
    return answers


def send_to_places(batches: Iterable[Sequence[tuple[Redis, Sequence[Command]]]], *, within: float) -> None:
    """`send` for several places: each batch goes to all its places. The next one is made while they work.

    Raises StoreUnavailable, StoreError; their `answered` is the number of batches that all places have answered.
    """
    answered, sent = 0, None
    try:
        for batch in batches:
            if sent is not None:
                next(sent, None)
                answered += 1
            sent = _sent_and_read(batch, within)
            next(sent)
        if sent is not None:
            next(sent, None)
    except StoreError as error:
        error.answered = answered
        raise
    finally:
        if sent is not None:
            sent.close()  # without the answers, it closes the connections


def _sent_and_read(batch: Sequence[tuple[Redis, Sequence[Command]]], within: float) -> Generator[None]:
    """Send a batch to its places at the first step, and read the answers at the second one."""
    refused: list[tuple[Redis, _RefusedError]] = []
    with translated(), ExitStack() as stack:
        links = [stack.enter_context(lent(redis, within=within)) for redis, _ in batch]
        for link, (_, commands) in zip(links, batch, strict=True):
            link.send_packed_command([packed(link, commands)])
        yield
        for link, (redis, commands) in zip(links, batch, strict=True):
            try:
                _read(link, commands)
            except _RefusedError as refusal:
                refused.append((redis, refusal))
    for redis, one in refused:
        with translated():
            left = _left_over(redis, one, monotonic() + within)
        send(redis, left, within=within)


class _RefusedError(Exception):
    """The server has not run some commands, as another one holds their keys.

    `batches` are still to send; the first of them holds the refused commands.
    """

    def __init__(self, error: RedisError, batches: Sequence[Sequence[Command]]) -> None:
        super().__init__()
        self.error = error
        self.batches = batches


def _left_over(redis: Redis, refusal: _RefusedError, until: float) -> Sequence[Sequence[Command]]:
    """The batches that have still to be sent. In a cluster, commands go to the node that an ASK names.

    If that node refuses them, too, waits for PAUSE_SECONDS. Raises the refusal if less time is left before `until`
    (monotonic seconds).
    """
    pool = redis.connection_pool
    if not (isinstance(pool, Pool) and pool.in_cluster):
        return refusal.batches
    refused, *following = refusal.batches
    if isinstance(refusal.error, AskError) and not isinstance(refusal.error, MovedError):
        seconds = max(PAUSE_SECONDS, until - monotonic())
        refused = _sent_by_ask(pool, (refusal.error.host, refusal.error.port), refused, seconds)
    if not refused:
        return following
    SystemClock().wait(threading.Event(), PAUSE_SECONDS)
    if monotonic() > until - PAUSE_SECONDS:
        raise refusal.error
    return [refused, *following]


def _sent_by_ask(pool: Pool, node: Place, commands: Sequence[Command], seconds: float) -> list[Command]:
    """Send commands to the node that a slot moves to; those that it refuses as well."""
    link: Any = pool.link_to(node, seconds)
    try:
        for command in commands:
            link.send_packed_command([link.packed(("ASKING",)), link.packed(command)])
        answers = _answers(link, 2 * len(commands))
    finally:
        link.disconnect()
    checked(answers[::2])
    return _left_to_send(commands, answers[1::2])


def _left_to_send(commands: Sequence[Command], answers: Sequence[Any]) -> list[Command]:
    """The commands of a batch that must be sent elsewhere: the refused ones, and WAIT for them.

    WAIT counts only the writes of its connection. So if a server ran some commands, it must have answered the
    WAIT, too: a primary that loses its role ends it with an error, and no other server can confirm these writes.
    Raises FoundFault if fewer replicas than wanted have confirmed them, and errors that are not refusals.
    """
    errors = _errors(answers)
    for error in errors:
        if not (fault_of(error).is_elsewhere or fault_of(error).cause == "try_again"):
            raise error
    waits = [command for command in commands[-1:] if command[0] == "WAIT"]
    others = len(commands) - len(waits)
    left = [commands[place] for place in range(others) if answers[place] in errors]
    if waits and len(left) < others:
        check_replicated(0 if answers[-1] in errors else answers[-1], int(waits[0][1]))
    return [*left, *waits] if left else []


def _errors(answers: Sequence[Any]) -> list[RedisError]:
    return [answer for answer in answers if isinstance(answer, RedisError)]


def _exchange(link: Any, batches: Iterable[Sequence[Command]]) -> Iterator[None]:
    """Send each batch when the one before is answered; yields after each answered one."""
    unread: Sequence[Command] = ()
    for commands in batches:
        text = packed(link, commands)
        if unread:
            _read(link, unread, commands)
            yield
        link.send_packed_command([text])
        unread = commands
    if unread:
        _read(link, unread)
        yield


def _read(link: Any, unread: Sequence[Command], *next_batch: Sequence[Command]) -> None:
    """Read the answers to a batch. Raises _RefusedError if another server has the keys of some commands.

    These commands were not run, so they can be sent again.
    """
    answers = _answers(link, len(unread))
    left = _left_to_send(unread, answers)
    if refusals := _errors(answers):
        raise _RefusedError(refusals[0], [left, *next_batch])


def push_seconds(redis: Redis) -> float:
    """How long a push may take in all."""
    pool = redis.connection_pool
    return pool.limits.push if isinstance(pool, Pool) else PUSH_SECONDS
