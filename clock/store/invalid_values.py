"""Keys with values that clock never writes: another type, or text instead of a number.

Another program that uses Sidekiq's names, or a user that may only push, can write such values. Each affects only
itself: readers skip it, and workers, `status` and `doctor` report the key.
"""

from __future__ import annotations

import json
import re
from typing import Any

from redis.client import Pipeline
from redis.exceptions import ResponseError

_NO_NUMBER = re.compile(r"is not an integer|would overflow|not a valid float")
MILLISECONDS_FROM = 1e11  # Sidekiq 8 writes whole milliseconds, older ones seconds
LONGEST_NUMBER = 19  # digits: more do not fit into 64 bits


def is_wrong_type(error: object) -> bool:
    """Whether Redis refused a command because the key holds another type."""
    return isinstance(error, ResponseError) and str(error).startswith("WRONGTYPE")


def tolerated(pipeline: Pipeline, *, needed: int = 0) -> list[Any]:
    """The replies to the pipeline's commands; None for a key with an invalid value.

    The first `needed` commands must succeed. The caller's log reports such keys. Raises the library's errors.
    """
    replies: list[Any] = pipeline.execute(raise_on_error=False)
    for place, reply in enumerate(replies):
        if isinstance(reply, Exception) and (place < needed or not has_invalid_value(reply)):
            raise reply
    return [None if isinstance(reply, Exception) else reply for reply in replies]


def has_invalid_value(error: Exception) -> bool:
    """Whether Redis refused a command because the key has another type, or its value is not a number."""
    return is_wrong_type(error) or (isinstance(error, ResponseError) and bool(_NO_NUMBER.search(str(error))))


def number(value: bytes | None, default: int = 0) -> int:
    """A value as a whole number. Returns the default if it is missing, not a number, or longer than 64 bits."""
    return int(value) if value is not None and is_number(value) else default


def is_number(value: bytes) -> bool:
    """Whether a value is a whole number of at most 64 bits, as Redis counts with."""
    is_short = len(value) <= LONGEST_NUMBER + 1 and value.removeprefix(b"-").isdigit()
    return is_short and -(2**63) <= int(value) < 2**63


def json_object(value: bytes | str | None) -> dict[str, Any] | None:
    """The JSON object of a value; None: the value is missing or holds something else."""
    try:
        found = json.loads(value or b"")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def seconds_in(value: object) -> float:
    """A time that another program wrote, in seconds or ms since 1970, in seconds; 0: it is not a time."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.0
    return value / 1000 if value > MILLISECONDS_FROM else float(value)


def text(value: bytes) -> str:
    """A name or value as text. Invalid UTF-8 is replaced."""
    return value.decode(errors="replace")
