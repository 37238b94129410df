"""Which servers are new enough."""

import pytest

from clock.store.server.checks.server_version import ServerVersion


@pytest.mark.parametrize(
    ("kind", "version", "needed"),
    [
        ("redis", "5.9", "6.2"),
        ("redis", "6.1.9", "6.2"),
        ("redis", "6.2.0", None),
        ("redis", "10.0", None),
        ("redis", "8.0.0-rc1", None),
        ("valkey", "6.9", "7.2"),
        ("valkey", "7.1.9", "7.2"),
        ("valkey", "7.2.0", None),
        ("valkey", "8.1", None),
        ("dragonfly", "1.0", None),
    ],
)
def test_a_server_of_a_known_kind_must_be_new_enough(kind: str, version: str, needed: str | None) -> None:
    found = ServerVersion.of({"redis_version": "7.0.0", "server_name": kind, f"{kind}_version": version})

    assert (found.needed, str(found)) == (needed, f"{kind} {version}")
