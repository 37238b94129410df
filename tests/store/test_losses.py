from collections.abc import Iterator

import pytest
from redis import Redis

from clock.store.server.checks.losses import warn_of_losses


@pytest.fixture
def evicting(redis: Redis) -> Iterator[Redis]:
    redis.config_set("maxmemory-policy", "allkeys-lru")
    yield redis
    redis.config_set("maxmemory-policy", "noeviction")


def test_a_server_that_deletes_keys_is_warned_of(evicting: Redis, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_losses(evicting)

    [line] = caplog.messages
    assert line.startswith("Redis has maxmemory-policy allkeys-lru: with a full memory it deletes jobs")
    assert line.endswith("Set maxmemory-policy noeviction.")


def test_a_server_that_keeps_all_keys_is_not_warned_of(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_losses(redis)

    assert caplog.messages == []
