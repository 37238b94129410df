"""`redis+sentinel://` to real sentinels, with and without a password and TLS."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from clock.errors import StoreError, StoreUnavailable
from clock.store.server.connection import connect, lent, translated
from tests.patience import eventually
from tests.servers import Servers, certificates, port_of

pytestmark = pytest.mark.process


def monitoring(*servers: Redis, password: str = "") -> str:
    """The lines of a sentinel's file that watches these."""
    port = port_of(servers[0])
    lines = [f"sentinel monitor main 127.0.0.1 {port} 1", "sentinel down-after-milliseconds main 500"]
    if password:
        lines.append(f"sentinel auth-pass main {password}")
    return "\n".join([*lines, "sentinel failover-timeout main 2000"])


@pytest.fixture
def server(servers: Servers) -> Redis:
    return servers.start("--requirepass", "of-redis", password="of-redis")  # noqa: S106  # of the test's own server


def test_a_sentinel_with_a_password_of_its_own_is_told_it(servers: Servers, server: Redis) -> None:
    settings = f"{monitoring(server, password='of-redis')}\nrequirepass of-sentinel"  # noqa: S106  # see above
    sentinel = servers.start_sentinel(settings, password="of-sentinel")  # noqa: S106  # see above
    url = f"redis+sentinel://:of-redis@127.0.0.1:{port_of(sentinel)}/main/0"

    redis = connect(f"{url}?sentinel_password=of-sentinel")
    assert redis.ping()
    redis.close()

    for query, cause, words in (
        ("", "sentinel_password_needed", "The sentinels ask for a password"),
        ("?sentinel_password=hunter2", "sentinel_wrong_password", "The sentinels refuse this user or password"),
        ("?sentinel_username=x&sentinel_password=hunter2", "sentinel_wrong_password", "The sentinels refuse"),
    ):
        with pytest.raises(StoreError) as caught:
            connect(url + query)
        assert words in str(caught.value)
        assert caught.value.cause == cause
        assert not isinstance(caught.value, StoreUnavailable)
        assert "hunter2" not in str(caught.value)
        assert "of-redis" not in str(caught.value)


def test_a_sentinel_with_users_is_told_the_user(servers: Servers, server: Redis) -> None:
    lines = [
        monitoring(server, password="of-redis"),  # noqa: S106  # see above
        "user default off",
        "user asks on >pa%2Fss ~* &* +@all",
    ]
    sentinel = servers.start_sentinel("\n".join(lines), username="asks", password="pa%2Fss")  # noqa: S106  # see above

    redis = connect(
        f"redis+sentinel://:of-redis@127.0.0.1:{port_of(sentinel)}/main?sentinel_username=asks&sentinel_password=pa%252Fss"
    )

    assert redis.ping()
    redis.close()


def test_what_keeps_sentinels_from_naming_the_primary_is_told(
    servers: Servers, server: Redis, free_port: int
) -> None:
    sentinel = servers.start_sentinel(monitoring(server, password="of-redis"))  # noqa: S106  # see above
    port, plain = port_of(sentinel), servers.start()

    for url, cause, words in (
        (f"redis+sentinel://127.0.0.1:{port}/nosuch", "no_primary", "they have no service 'nosuch'"),
        (f"redis+sentinel://127.0.0.1:{free_port}/main", "unreachable", "no sentinel answers"),
        (f"redis+sentinel://127.0.0.1:{port}/main", "password_needed", "Redis asks for a password"),
        (
            f"redis+sentinel://127.0.0.1:{port}/main?sentinel_password=x",
            "sentinel_password_unknown",
            "have no password",
        ),
        (f"redis+sentinel://127.0.0.1:{port_of(plain)}/main", "not_a_sentinel", "This is not a sentinel"),
        (f"redis://127.0.0.1:{port}/0", "sentinel", "this is a sentinel; write redis+sentinel://"),
    ):
        with pytest.raises(StoreError) as caught:
            connect(url)
        assert (caught.value.cause, words in str(caught.value)) == (cause, True), caught.value


def test_one_sentinel_of_several_is_enough(servers: Servers, server: Redis, free_port: int) -> None:
    sentinel = servers.start_sentinel(monitoring(server, password="of-redis"))  # noqa: S106  # see above

    redis = connect(f"redis+sentinel://:of-redis@127.0.0.1:{free_port},127.0.0.1:{port_of(sentinel)}/main")

    assert redis.ping()
    redis.close()


def test_connections_follow_a_fail_over_of_sentinel(servers: Servers) -> None:
    old = servers.start()
    new = servers.start("--replicaof", "127.0.0.1", str(port_of(old)))
    sentinel = servers.start_sentinel(monitoring(old))
    redis = connect(f"redis+sentinel://127.0.0.1:{port_of(sentinel)}/main", max_connections=3)
    with lent(redis), lent(redis):
        pass  # two connections are idle

    eventually(lambda: fails_over(sentinel), "a replica that the sentinel knows")
    eventually(lambda: written(redis, new), "a write to the new primary")

    mine = old.client_id()
    left = [each for each in old.client_list() if int(each["id"]) != mine and each["flags"] == "N"]
    assert [each for each in left if "sentinel" not in each["name"]] == []
    redis.close()


def fails_over(sentinel: Redis) -> bool:
    """Have the sentinel begin a fail-over; False: it has not judged the replica yet."""
    try:
        sentinel.execute_command("SENTINEL", "FAILOVER", "main")  # type: ignore[no-untyped-call]  # untyped there
    except ResponseError:
        return False
    return True


def written(redis: Redis, new: Redis) -> bool:
    """Whether a write arrives at the new primary."""
    try:
        with translated():
            redis.set("x", 1)
    except StoreUnavailable:
        return False
    return new.info("replication")["role"] == "master" and bool(new.exists("x"))


def test_sentinels_and_servers_speak_tls(servers: Servers, tmp_path: Path) -> None:
    authority = certificates(tmp_path)
    files = {"tls-cert-file": "server.crt", "tls-key-file": "server.key", "tls-ca-cert-file": "ca.crt"}
    tls = {name: str(tmp_path / file) for name, file in files.items()} | {"tls-auth-clients": "no"}
    how = {"ssl": True, "ssl_ca_certs": str(authority)}
    server = servers.start(
        *(word for name, value in tls.items() for word in (f"--{name}", value)), tls=True, **how
    )
    lines = [monitoring(server), "tls-replication yes", *(f"{name} {value}" for name, value in tls.items())]
    sentinel = servers.start_sentinel("\n".join(lines), tls=True, **how)
    place = f"127.0.0.1:{port_of(sentinel)}/main"

    redis = connect(f"rediss+sentinel://{place}?ssl_ca_certs={authority}")
    assert redis.ping()
    redis.close()

    with pytest.raises(StoreUnavailable, match="The sentinels cannot be reached over TLS") as caught:
        connect(f"rediss+sentinel://{place}")
    assert caught.value.cause == "certificate"
