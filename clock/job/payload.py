"""The payload: a job as JSON, in Sidekiq's format.

Times are float seconds, always with a fraction, which Sidekiq 6, 7 and 8 all read as seconds. Unknown fields are
kept unchanged.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from clock.clocks import to_ms
from clock.config.setting_types import queue_name

Payload = dict[str, object]


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
