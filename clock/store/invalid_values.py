"""Keys that hold what nobody of us has written: another type, or no number. They affect only themselves.

Another program under Sidekiq's names, or a user that may only push, can write such values. Readers go on without
them, and workers, `status` and `doctor` name them.
"""

from __future__ import annotations

import re
from typing import Any

from redis.client import Pipeline
from redis.exceptions import ResponseError

_NO_NUMBER = re.compile(r"is not an integer|would overflow|not a valid float")
LONGEST_NUMBER = 19  # digits: more do not fit into 64 bits


def readable(pipeline: Pipeline) -> list[Any]:
    """The replies to the pipeline's commands; None for a key of a wrong type. Raises what the library does."""
    replies: list[Any] = pipeline.execute(raise_on_error=False)
    for reply in replies:
        if isinstance(reply, Exception) and not is_wrong_type(reply):
            raise reply
    return [None if isinstance(reply, Exception) else reply for reply in replies]


def is_wrong_type(error: object) -> bool:
    """Whether Redis refused a command because the key holds another type."""
    return isinstance(error, ResponseError) and str(error).startswith("WRONGTYPE")


def tolerated(pipeline: Pipeline, *, needed: int = 0) -> list[Any]:
    """The replies to the pipeline's commands; None for a key that holds what no command of ours has written.

    The first `needed` commands must succeed. Such keys are named by `find` and the caller's log. Raises what the
    library does.
    """
    replies: list[Any] = pipeline.execute(raise_on_error=False)
    for place, reply in enumerate(replies):
        if isinstance(reply, Exception) and (place < needed or not has_invalid_value(reply)):
            raise reply
    return [None if isinstance(reply, Exception) else reply for reply in replies]


def has_invalid_value(error: Exception) -> bool:
    """Whether Redis refused a command because of what the key holds: another type, or no number."""
    return is_wrong_type(error) or (isinstance(error, ResponseError) and bool(_NO_NUMBER.search(str(error))))


def number(value: bytes | None, default: int = 0) -> int:
    """The whole number that a value is; the default if it is none, or has more than 64 bits.

    >>> number(b"-5"), number(b"abc"), number(None), number(b"1" * 5_000)
    (-5, 0, 0, 0)
    """
    return int(value) if value is not None and is_number(value) else default


def is_number(value: bytes) -> bool:
    """Whether a value is a whole number of at most 64 bits, as Redis counts with."""
    is_short = len(value) <= LONGEST_NUMBER + 1 and value.removeprefix(b"-").isdigit()
    return is_short and -(2**63) <= int(value) < 2**63


def text(value: bytes) -> str:
    """A name or value as text; what is no UTF-8 is replaced."""
    return value.decode(errors="replace")
