from collections.abc import Iterator

import pytest

from clock import client_middleware, server_middleware
from clock.job.metrics import METRICS


@pytest.fixture(autouse=True)
def _own_chains() -> Iterator[None]:
    """Whatever a test does to the process's chains and figures ends with it."""
    client, server = client_middleware.entries, server_middleware.entries
    yield
    client_middleware.entries, server_middleware.entries = client, server
    METRICS.__init__()  # type: ignore[misc]  # begins anew
