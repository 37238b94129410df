"""What the tests of this room find in Redis."""

import json
from typing import Any

from redis import Redis


def waiting(redis: Redis, queue: str = "default") -> list[dict[str, Any]]:
    """The payloads of a queue, the next one first."""
    rows: Any = redis.lrange(f"queue:{queue}", 0, -1)
    return [json.loads(row) for row in reversed(rows)]


def delayed(redis: Redis) -> list[tuple[dict[str, Any], float]]:
    """The payloads of the schedule, with when they are due."""
    rows: Any = redis.zrange("schedule", 0, -1, withscores=True)
    return [(json.loads(row), score) for row, score in rows]
