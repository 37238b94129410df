from collections.abc import Iterator

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from clock import client_middleware, server_middleware
from clock.job.middleware.metrics import METRICS


@pytest.fixture
def redis_away() -> Redis:
    """A Redis that cannot be reached."""
    return Redis(unix_socket_path="/nowhere/at/all", retry=Retry(NoBackoff(), 0))


@pytest.fixture(autouse=True)
def _own_chains() -> Iterator[None]:
    """Each test begins without figures; whatever it does to the process's chains ends with it."""
    METRICS.reset()
    client, server = client_middleware.entries, server_middleware.entries
    yield
    client_middleware.entries, server_middleware.entries = client, server
