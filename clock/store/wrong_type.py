"""Clock's keys with a wrong type: another program, or a person, has written them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ResponseError

from clock.errors import StoreError
from clock.store.invalid_values import is_wrong_type, readable
from clock.store.server.connection import translated
from clock.store.server.namespace import full_key


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
        return readable(pipeline)


def reading(redis: Redis, ask: Callable[[Pipeline], object]) -> Any:
    """The reply to the one command that `ask` gives a pipeline; None for a key of a wrong type.

    Raises StoreUnavailable.
    """
    return readings(redis, ask)[0]
