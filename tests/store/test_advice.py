"""The cure of an error at the start depends on the URL."""

import pytest

from clock.errors import StoreError
from clock.store.server.address import advised

NO_SENTINEL = "Redis cannot be reached: no sentinel answers: "


@pytest.mark.parametrize(
    ("scheme", "cause", "text", "end"),
    [
        (
            "redis+sentinel",
            "unreachable",
            f"{NO_SENTINEL}(104, 'Connection reset by peer').",
            "(rediss+sentinel://)?",
        ),
        ("rediss+sentinel", "unreachable", f"{NO_SENTINEL}Timeout connecting.", "If not: ?sentinel_ssl=false."),
        ("redis+sentinel", "unreachable", "Redis cannot be reached: reset by peer.", "need TLS (?ssl=true)?"),
        ("redis+cluster", "unreachable", "No node: reset by peer.", "need TLS (rediss+cluster://)?"),
        ("rediss", "no_answer", "Timeout connecting to server.", "Does the server speak TLS on this port?"),
        ("redis", "unreachable", "Connection refused. Is it running?", "Connection refused. Is it running?"),
        (
            "rediss+sentinel",
            "certificate",
            "Redis: IP address mismatch.",
            "they name hosts with announce-hostnames.",
        ),
        ("rediss+sentinel", "certificate", "The sentinels: IP address mismatch.", "turns this check off."),
        ("rediss", "certificate", "certificate has expired.", "Renew the server's certificate."),
        (
            "redis+cluster",
            "password_needed",
            "In the URL: redis://:PASSWORD@HOST.",
            "redis+cluster://:PASSWORD@HOST.",
        ),
    ],
)
def test_an_error_ends_with_the_cure_for_its_url(scheme: str, cause: str, text: str, end: str) -> None:
    found = advised(StoreError(text, cause=cause), f"{scheme}://host/0", "REDIS_URL")

    assert found.startswith(text[:10])
    assert found.endswith(end)


def test_the_setting_with_the_address_is_named() -> None:
    error = StoreError("Redis cannot be reached. Is it running, and is its address right?", cause="unreachable")

    assert advised(error, "redis://host", "CLOCK_REDIS").endswith("is CLOCK_REDIS right?")
