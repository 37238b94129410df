"""Which servers are new enough."""

import pytest

from clock.errors import StoreError
from clock.store.server.checks.server_version import ServerVersion
from clock.store.server.connection import connect
from tests.store.talking import serving


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


@pytest.mark.parametrize("asked", ["INFO", "HELLO"])
@pytest.mark.parametrize(
    ("name", "mode", "cause"),
    [
        ("redis_mode", "cluster", "cluster"),
        ("server_mode", "cluster", "cluster"),
        ("redis_mode", "sentinel", "sentinel"),
        ("redis_mode", "standalone", None),
    ],
)
def test_a_cluster_and_a_sentinel_are_refused_as_a_server(
    asked: str, name: str, mode: str, cause: str | None
) -> None:
    info = f"redis_version:7.4.0\r\n{name}:{mode}"
    hello = f"*4\r\n$7\r\nversion\r\n$5\r\n7.4.0\r\n$4\r\nmode\r\n${len(mode)}\r\n{mode}"
    answers = {"INFO": f"${len(info)}\r\n{info}"} if asked == "INFO" else {"INFO": "-NOPERM no", "HELLO": hello}

    with serving(lambda words: f"{answers.get(words[0].decode(), '+OK')}\r\n".encode()) as url:
        if cause is None:
            connect(url).close()
            return
        with pytest.raises(StoreError) as caught:
            connect(url)

    assert caught.value.cause == cause
