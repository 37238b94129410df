"""Sends independent commands in few round trips: pushes, and what a process sends each few seconds.

Durable writes wait until some replicas have them, so a fail-over does not lose them: Redis acknowledges a write
before it reaches a replica, and a primary that dies at that moment takes the write with it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

from hiredis import pack_command
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
from clock.store import keys
from clock.store.server.client import PUSH_SECONDS
from clock.store.server.connection import lent, translated
from clock.store.server.faults import NOT_REPLICATED, FoundFault, fault_of
from clock.store.server.pool import Place, Pool

Command = tuple[str | bytes | float, ...]
WAIT_MS = 1_000  # a replica that follows confirms a write within milliseconds
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
    """Send commands, without a transaction, a round trip for each batch: `send_to_places` for one place."""
    send_to_places(([(redis, commands)] for commands in batches), within=within)


def send_to_places(batches: Iterable[Sequence[tuple[Redis, Sequence[Command]]]], *, within: float) -> None:
    """Send batches, without a transaction. Each batch goes to all its places, in a round trip.

    `within` limits the seconds for the answers to a batch. While the servers work on a batch, the next one is
    made; so `batches` should be a generator. A pipeline of the client library waits for each, and costs twice as
    much, which every push would pay. If a server refuses commands because another one is the primary now, they are
    sent there, once; in a cluster until they succeed or the time is over. Raises StoreUnavailable, StoreError;
    their `answered` is the number of batches that all places have answered.
    """
    answered, sent = 0, list[Generator[None]]()
    try:
        for batch in batches:
            following = [_exchange(redis, commands, _packed(redis, commands), within) for redis, commands in batch]
            if sent:
                _step(sent)
                answered += 1
            sent = following
            _step(sent)
        _step(sent)
    except StoreError as error:
        error.answered = answered
        raise
    finally:
        for exchange in sent:
            exchange.close()  # without the answers, it closes the connection


def _step(exchanges: Iterable[Generator[None]]) -> None:
    for exchange in exchanges:
        next(exchange, None)


def _exchange(redis: Redis, commands: Sequence[Command], text: bytes, within: float) -> Generator[None]:
    """Send commands to a place at the first step, and read the answers at the second one."""
    until = monotonic() + within
    with translated():
        with lent(redis, within=within) as link:
            link.send_packed_command([text])
            yield
            answers = _answers(link, len(commands))
        _send_again(redis, commands, answers, until)


def _send_again(redis: Redis, commands: Sequence[Command], answers: Sequence[Any], until: float) -> None:
    """Send refused commands to the server that has their keys now. Raises the refusal if no server takes them."""
    pool, is_again = redis.connection_pool, False
    while left := _left_to_send(commands, answers):
        refusal = _errors(answers)[0]
        if isinstance(pool, Pool) and pool.in_cluster:
            left = _after_a_move(pool, refusal, left, until)
        elif is_again:
            raise refusal
        commands, answers, is_again = left, [], True
        if commands:
            with lent(redis, within=until - monotonic()) as link:
                link.send_packed_command([_packed(redis, commands)])
                answers = _answers(link, len(commands))


def _after_a_move(pool: Pool, refusal: RedisError, commands: list[Command], until: float) -> list[Command]:
    """The commands that have still to be sent in a cluster: those of an ASK go to the node that it names first.

    If that node refuses them, too, waits for PAUSE_SECONDS. Raises the refusal if less time is left before `until`
    (monotonic seconds).
    """
    if isinstance(refusal, AskError) and not isinstance(refusal, MovedError):
        seconds = max(PAUSE_SECONDS, until - monotonic())
        commands = _sent_by_ask(pool, (refusal.host, refusal.port), commands, seconds)
    if commands:
        SystemClock().wait(threading.Event(), PAUSE_SECONDS)
        if monotonic() > until - PAUSE_SECONDS:
            raise refusal
    return commands


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
    refused = [command for command, answer in zip(commands, answers, strict=True) if answer in errors]
    waits = [command for command in commands if command[0] == "WAIT"]  # at most one, the last
    left = [command for command in refused if command not in waits]
    if waits and len(left) + len(waits) < len(commands):
        check_replicated(0 if answers[-1] in errors else answers[-1], int(waits[0][1]))
    return [*left, *waits] if left else []


def _errors(answers: Sequence[Any]) -> list[RedisError]:
    return [answer for answer in answers if isinstance(answer, RedisError)]


def ask(redis: Redis, *command: str | bytes | float) -> Callable[[], Any]:
    """Send a command. The returned function waits for its answer. Both raise the client library's errors.

    The caller must call it once: until then a connection is reserved for the answer. With `durable` replicas, the
    answer is there when these have the write; it raises FoundFault if too few have it in time.
    """
    pool: Any = redis.connection_pool
    durable = durable_of(redis)
    further = [("SET", keys.REPLICATED, 1, "PX", WAIT_MS), wait_command(durable)] if durable else []
    link: Any = pool.get_connection()
    try:
        link.send_packed_command([_packed(redis, [command, *further])])
    except BaseException:
        link.disconnect()
        pool.release(link)
        raise

    def answer() -> Any:
        try:
            if not further:
                return link.read_response()
            found = _answers(link, 1 + len(further))
        except ResponseError:
            raise
        except BaseException:
            link.disconnect()
            raise
        finally:
            pool.release(link)
        checked(found)  # an error of the WAIT: the server is no longer the primary
        check_replicated(int(found[-1]), durable)
        return found[0]

    return answer


def ask_all(redis: Redis, commands: Sequence[Command]) -> list[Any]:
    """The answers to commands that one round trip takes to Redis. The error of a refused command is its answer.

    A pipeline of the client library costs twice as much. Raises the client library's errors.
    """
    with lent(redis) as link:
        link.send_packed_command([_packed(redis, commands)])
        return _answers(link, len(commands))


def checked(answers: list[Any]) -> list[Any]:
    """The answers. Raises the first error among them."""
    if errors := _errors(answers):
        answers.clear()  # a list that a frame of the error's traceback holds would be a cycle
        raise errors.pop(0)
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
            answers.append(error.with_traceback(None))  # its frames would hold this list: a cycle
    return answers


def _packed(redis: Redis, commands: Iterable[Command]) -> bytes:
    """Commands as they are sent. The client library needs five times as long."""
    pack: Callable[..., bytes] = getattr(redis.connection_pool, "packed", pack_command)
    return b"".join(map(pack, commands))


def push_seconds(redis: Redis) -> float:
    """How long a push may take in all."""
    pool = redis.connection_pool
    return pool.limits.push if isinstance(pool, Pool) else PUSH_SECONDS


def durable_of(redis: Redis) -> int:
    """How many replicas must have a push or a firing of this connection; 0: Redis replicates later."""
    return int(getattr(redis.connection_pool, "durable", 0))


def wait_command(replicas: int) -> tuple[str, int, int]:
    """The command that waits until so many replicas have all writes of this connection."""
    return ("WAIT", replicas, WAIT_MS)


def check_replicated(confirmed: int, wanted: int) -> None:
    """Raise FoundFault if fewer replicas than wanted have the writes: they may be lost in a fail-over."""
    if confirmed < wanted:
        raise FoundFault(f"{confirmed} of {wanted} confirmed it within {WAIT_MS / 1000:g} s", NOT_REPLICATED)
