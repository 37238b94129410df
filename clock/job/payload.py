"""The payload: a job as JSON, in Sidekiq's format, and when it is due.

Times are float seconds, always with a fraction, which Sidekiq 6, 7 and 8 all read as seconds. Unknown fields are
kept unchanged.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast

import msgspec

from clock.clocks import to_ms
from clock.config.setting_types import queue_name
from clock.errors import ArgumentsError
from clock.printable import brief

Payload = dict[str, object]
Time = float | timedelta | datetime  # an interval from now, or an instant
LATEST = 253_402_300_799  # the last second of the year 9999, in seconds since 1970
INTERVAL_LIMIT = 1_000_000_000  # a smaller number is an interval, a larger one an instant, as in Sidekiq


def new_jid() -> str:
    """A job id as Sidekiq makes it: 24 hex digits."""
    return os.urandom(12).hex()


def seconds(instant: datetime) -> float:
    """An instant as payloads hold it: float seconds since 1970."""
    return to_ms(instant) / 1000


def instant(value: object) -> float | None:
    """A time of a payload in seconds, or None if it is not a time. Sidekiq 8 writes integer milliseconds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value / 1000 if isinstance(value, int) else value


def in_seconds(duration: object) -> float | None:
    """A duration, seconds or a timedelta, in seconds; None for any other value."""
    if isinstance(duration, timedelta):
        return duration.total_seconds()
    if isinstance(duration, (int, float)) and not isinstance(duration, bool):
        return duration
    return None


def due_at(when: Time, now: float) -> float:
    """When a job is due, in float seconds since 1970, which `now` is, too.

    `when` is an interval from now (seconds, or a timedelta), or an instant (an aware datetime, or seconds since
    1970). Raises ValueError.
    """
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise ValueError(f"{brief(when)} has no time zone; pass an aware datetime")
        return seconds(when)
    given = in_seconds(when)
    if given is None or not abs(given) <= sys.float_info.max:
        raise ValueError(f"{brief(when)} is not a time; pass seconds, a timedelta or an aware datetime")
    is_interval = isinstance(when, timedelta) or given < INTERVAL_LIMIT
    due = now + given if is_interval else given
    if due > LATEST:
        hint = "; pass seconds, not milliseconds" if given / 1000 <= LATEST else ""
        raise ValueError(f"{brief(given)} is after the year 9999{hint}")
    return max(float(due), 0.0)  # before 1970 is due at once, as any time in the past


def due_as_put(at: object, now: float) -> float:
    """When a job is due by a payload's `at`, which middleware may have set; None: `now`. Raises ValueError."""
    if at is None:
        return now
    return at if isinstance(at, float) and at <= LATEST else due_at(cast("Time", at), now)


def due_of_each(
    count: int, at: Time | Sequence[Time] | None, spread_interval: float | timedelta | None, now: float
) -> list[float] | None:
    """When each of `count` jobs is due: `at` one time or one for each, spread evenly over the interval; None: now.

    Raises ArgumentsError; ValueError for an invalid time, or an interval that is not above 0.
    """
    if isinstance(at, Sequence):
        if len(at) != count:
            raise ArgumentsError(
                f"perform_bulk got {len(at)} times in at= for {count} jobs; pass one time, or one for each job"
            )
        due = [due_at(when, now) for when in at]
    elif at is None and spread_interval is None:
        return None
    else:
        due = [due_at(0 if at is None else at, now)] * count
    if spread_interval is None:
        return due
    interval = in_seconds(spread_interval)
    if interval is None or not 0 < interval < INTERVAL_LIMIT:
        raise ValueError(f"spread_interval is {brief(spread_interval)}; pass seconds above 0, or a timedelta")
    step = interval / max(count, 1)
    return [begin + place * step for place, begin in enumerate(due)]


def encode(value: object) -> str:
    """JSON with UTF-8 and integers of any size. Raises TypeError or ValueError for values that JSON lacks."""
    return _encoder.encode(value)


def encode_checked(value: object) -> str:
    """JSON of checked values, which is faster: a NaN or a datetime would pass unnoticed."""
    return _fast_encoder.encode(value).decode()


def encode_each(values: Sequence[object]) -> list[str]:
    r"""The JSON of each of many checked values. JSON has no line break outside of `\n`, so lines separate them."""
    return _fast_encoder.encode_lines(values).decode().split("\n")[:-1]


def encode_again(payload: Mapping[str, object]) -> str:
    """The JSON of a payload that was read from Redis: text that UTF-8 cannot hold is escaped as it was."""
    try:
        return encode_checked(payload)
    except UnicodeEncodeError:
        return json.dumps(payload, separators=(",", ":"), allow_nan=False)


def queue_of(payload: object) -> str:
    """The queue that a payload names, or `default` if it names no valid one."""
    return (queue_name(payload.get("queue")) if isinstance(payload, dict) else None) or "default"


def decode(text: bytes) -> object:
    """The value of some JSON. Raises ValueError, also for NaN; RecursionError if it is nested too deeply."""
    try:
        return _fast_decoder.decode(text)
    except (ValueError, RecursionError):
        return _decoder.decode(text.decode())


def read_payload(text: bytes) -> Payload:
    """The payload of a job in Redis; empty if the text is not a JSON object."""
    try:
        found = decode(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"the number {text:.20} is out of range")
    return number


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is not valid JSON")


_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_decoder = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)
_fast_encoder = msgspec.json.Encoder()
_fast_decoder = msgspec.json.Decoder()
