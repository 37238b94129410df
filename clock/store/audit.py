"""The audit log: who changed what by hand, in the dashboard or on the command line."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from redis import Redis

from clock.errors import StoreError
from clock.store import keys
from clock.store.invalid_values import json_object
from clock.store.wrong_type import typed

LENGTH = 10_000  # entries kept, about
LONGEST = 500  # characters of a value

logger = logging.getLogger("clock.redis")


def add(redis: Redis, entry: Mapping[str, object]) -> None:
    """Append an entry. Raises StoreUnavailable, WrongType."""
    shown = {name: value[:LONGEST] if isinstance(value, str) else value for name, value in entry.items()}
    with typed(redis, keys.AUDIT, "stream"):
        redis.xadd(keys.AUDIT, {"entry": json.dumps(shown)}, maxlen=LENGTH, approximate=True)


def add_if_possible(redis: Redis, entry: Mapping[str, object]) -> None:
    """Append an entry about a change that is made. Logs an error of Redis."""
    try:
        add(redis, entry)
    except StoreError as error:
        logger.error(
            "The audit log has no entry of the change %r of %r: %s", entry["what"], entry["target"], error
        )


def read(redis: Redis, count: int, before: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Up to `count` entries with their ids, the latest first; `before` is the id of the last one seen.

    An id starts with the time in ms since 1970. Invalid entries are skipped. Raises StoreUnavailable,
    WrongType.
    """
    with typed(redis, keys.AUDIT, "stream"):
        rows: Any = redis.xrevrange(keys.AUDIT, max=f"({before}" if before else "+", count=count)
    found = ((number.decode(), json_object(fields.get(b"entry"))) for number, fields in rows)
    return [(number, entry) for number, entry in found if entry is not None]
