import json
from collections.abc import Callable
from typing import Any

import pytest

Payload = Callable[..., bytes]


@pytest.fixture
def payload() -> Payload:
    """A job's payload, as any Sidekiq client writes it."""

    def write(jid: str, **fields: Any) -> bytes:
        whole = {"class": "SendMailJob", "args": [1], "queue": "default", "jid": jid, "retry": True, **fields}
        return json.dumps(whole).encode()

    return write
