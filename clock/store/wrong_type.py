"""Clock's and Sidekiq's keys with a wrong type: another program, or a person, has written them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ResponseError

from clock.errors import StoreError
from clock.store import keys
from clock.store.invalid_values import is_number, is_wrong_type, tolerated
from clock.store.server.connection import translated
from clock.store.server.namespace import full_key
from clock.store.server.sending import ask_all, checked

QUEUES_LOOKED_AT = 1_000

_NUMBERS = (keys.STAT_PROCESSED, keys.STAT_FAILED)


class WrongType(StoreError):
    """One of clock's keys has a wrong type."""

    def __init__(self, key: str, kind: str) -> None:
        super().__init__(f"the key {key} is not a {kind}, as it should be", cause="wrong_type")
        self.key = key


@contextmanager
def typed(redis: Redis, key: str, kind: str) -> Iterator[None]:
    """Name `key` if a command in the block finds that it is not a `kind`. Raises WrongType, StoreUnavailable."""
    with translated():
        try:
            yield
        except ResponseError as error:
            if is_wrong_type(error):
                raise WrongType(full_key(redis, key), kind) from error
            raise


def readings(redis: Redis, ask: Callable[[Pipeline], object]) -> list[Any]:
    """The replies to the commands that `ask` gives a pipeline; None for a key of a wrong type.

    Raises StoreUnavailable.
    """
    with translated(), redis.pipeline(transaction=False) as pipeline:
        ask(pipeline)
        return tolerated(pipeline)


def reading(redis: Redis, ask: Callable[[Pipeline], object]) -> Any:
    """The reply to the one command that `ask` gives a pipeline; None for a key of a wrong type.

    Raises StoreUnavailable.
    """
    return readings(redis, ask)[0]


@dataclass(frozen=True, slots=True)
class WrongKey:
    """A key, its type, and the type that it should have.

    `key` is its name in Redis, `name` its name in `keys.py`.
    """

    name: str
    key: str
    found: str
    wanted: str

    def __str__(self) -> str:
        return f"the key {self.key} holds a {self.found} and should hold a {self.wanted}"


def wrong_keys_among(redis: Redis, names: Collection[str]) -> list[WrongKey]:
    """The keys among `names` that have a wrong type. Raises StoreUnavailable."""
    with translated():
        return _wrong(redis, {name: keys.TYPES[name] for name in names})[0]


def wrong_keys(redis: Redis) -> list[WrongKey]:
    """The keys with a wrong type, or with text instead of a number. Raises StoreUnavailable."""
    with translated():
        found, strings = _wrong(redis, {**keys.TYPES, **_queues(redis)})
        numbers = [key for key in _NUMBERS if key in strings]
        values: Any = redis.mget(numbers) if numbers else []
    return found + [
        WrongKey(name, full_key(redis, name), "text", "number")
        for name, value in zip(numbers, values, strict=True)
        if not is_number(value)
    ]


def _wrong(redis: Redis, wanted: Mapping[str, str]) -> tuple[list[WrongKey], set[str]]:
    """The keys that hold another type than wanted, and those that hold a string."""
    kinds = checked(ask_all(redis, [("TYPE", key) for key in wanted]))
    types = {key: kind.decode() for key, kind in zip(wanted, kinds, strict=True)}
    wrong = [
        WrongKey(name, full_key(redis, name), has, wanted[name])
        for name, has in types.items()
        if has not in (wanted[name], "none")
    ]
    return wrong, {key for key, has in types.items() if has == "string"}


def _queues(redis: Redis) -> dict[str, str]:
    try:
        names: Any = redis.smembers(keys.QUEUES)
    except ResponseError:  # it is not a set: `_wrong` finds that anyway
        return {}
    return {keys.queue(name.decode(errors="replace")): "list" for name in islice(names, QUEUES_LOOKED_AT)}
