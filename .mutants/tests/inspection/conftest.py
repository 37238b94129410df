import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)
NOW_SECONDS = NOW.timestamp()

Payload = Callable[..., bytes]


@pytest.fixture
def payload() -> Payload:
    """A job's payload, as any Sidekiq client writes it."""

    def write(jid: str, **fields: Any) -> bytes:
        whole = {"class": "SendMailJob", "args": [1], "queue": "default", "jid": jid, "retry": True, **fields}
        return json.dumps(whole).encode()

    return write


@pytest.fixture
def retries(redis: Redis, payload: Payload) -> list[bytes]:
    """Three failed jobs that wait for their retry."""
    members = [
        payload("a", failed_at=NOW_SECONDS - 7200, error_class="OSError", error_message="down", retry_count=3),
        payload("b", failed_at=NOW_SECONDS - 60, queue="low"),
        payload("c", **{"class": "CountSheepJob"}, failed_at=NOW_SECONDS - 10),
    ]
    for index, member in enumerate(members):
        redis.zadd("retry", {member: NOW_SECONDS + index})
    return members
