"""Clock's keys with a wrong type: another program, or a person, has written them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import ResponseError

from clock.errors import StoreError
from clock.store.invalid_values import is_wrong_type
from clock.store.server.connection import translated


class WrongType(StoreError):
    """One of clock's keys has a wrong type."""

    def __init__(self, key: str, kind: str) -> None:
        super().__init__(f"the key {key} is not a {kind}, as it should be", cause="wrong_type")
        self.key = key


@contextmanager
def typed(key: str, kind: str) -> Iterator[None]:
    """Name `key` if a command in the block finds that it is not a `kind`. Raises WrongType, StoreUnavailable."""
    with translated():
        try:
            yield
        except ResponseError as error:
            if is_wrong_type(error):
                raise WrongType(key, kind) from error
            raise
