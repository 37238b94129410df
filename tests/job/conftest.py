from collections.abc import Iterator

import pytest

from clock import client_middleware, server_middleware
from clock.job.metrics import METRICS


@pytest.fixture(autouse=True)
def _own_chains() -> Iterator[None]:
    """Each test begins without figures; whatever it does to the process's chains ends with it."""
    METRICS.__init__()  # type: ignore[misc]  # begins anew
    client, server = client_middleware.entries, server_middleware.entries
    yield
    client_middleware.entries, server_middleware.entries = client, server
