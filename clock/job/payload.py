"""The payload: a job as JSON, in Sidekiq's format.

Times are float seconds, always with a fraction, which Sidekiq 6, 7 and 8 all read as seconds. Fields that we do
not know are kept as they are.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import datetime

from clock.clocks import to_ms

Payload = dict[str, object]


def new_jid() -> str:
    """A job id as Sidekiq makes it: 24 hex digits."""
    return secrets.token_hex(12)


def seconds(instant: datetime) -> float:
    """An instant as payloads hold it: float seconds since 1970."""
    return to_ms(instant) / 1000


def encode(payload: Mapping[str, object]) -> str:
    """The payload's JSON: UTF-8 as it is, integers of any size, no NaN.

    >>> encode({"args": ["ß", 2**70]})
    '{"args":["ß",1180591620717411303424]}'
    """
    return _encoder.encode(payload)


_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
