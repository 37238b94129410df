"""Every option that the query of a Redis URL may hold, for each kind of URL."""

import logging
from contextlib import closing
from ssl import TLSVersion

import pytest
import redis as library

from clock.errors import ConfigurationError, StoreError, StoreUnavailable
from clock.store.server import address
from clock.store.server.client import client
from clock.store.server.connection import connect
from clock.store.server.pool import Link, TcpLink, TlsLink
from clock.store.server.url_options import read_query
from tests.servers import Servers, port_of

TCP, TLS, UNIX = "redis://127.0.0.1:1/0", "rediss://127.0.0.1:1/0", "unix:///nosuch.sock"
SENTINEL, SENTINEL_TLS = "redis+sentinel://127.0.0.1:1/main/0", "rediss+sentinel://127.0.0.1:1/main/0"
ALL = (TCP, TLS, UNIX, SENTINEL, SENTINEL_TLS)

TAKEN = {
    "db=0": ALL,
    "db=3": (UNIX,),
    "username=me": ALL,
    "password=secret": ALL,
    "socket_timeout=0.5": ALL,
    "socket_connect_timeout=2": ALL,
    "socket_keepalive=false": ALL,
    "max_connections=3": ALL,
    "timeout=0": ALL,
    "timeout=2.5": ALL,
    "client_name=web-1": ALL,
    "ssl_cert_reqs=none": (TLS, SENTINEL_TLS),
    "ssl_cert_reqs=CERT_NONE": (TLS, SENTINEL_TLS),
    "ssl_cert_reqs=required": (TLS, SENTINEL_TLS),
    "ssl_check_hostname=false": (TLS, SENTINEL_TLS),
    "ssl_ca_certs=/dev/null": (TLS, SENTINEL_TLS),
    "ssl_ca_path=/dev": (TLS, SENTINEL_TLS),
    "ssl_certfile=/dev/null&ssl_keyfile=/dev/null&ssl_password=x": (TLS, SENTINEL_TLS),
    "ssl_min_version=TLSv1.3": (TLS, SENTINEL_TLS),
    "ssl_ciphers=ECDHE": (TLS, SENTINEL_TLS),
    "sentinel_username=me&sentinel_password=secret": (SENTINEL, SENTINEL_TLS),
    "sentinel_ssl=true": (SENTINEL, SENTINEL_TLS),
    "ssl=true": (SENTINEL, SENTINEL_TLS),
}
IGNORED = [
    "decode_responses=true",
    "encoding=latin-1",
    "encoding_errors=replace",
    "protocol=3",
    "legacy_responses=true",
    "health_check_interval=1",
    "retry_on_timeout=true",
    "retry_on_error=x",
    "single_connection_client=true",
    "socket_read_size=1",
    "lib_name=x",
    "lib_version=1",
]
#: The value that an option's text stands for.
VALUES: dict[str, object] = {
    "db=0": 0,
    "db=2147483647": 2**31 - 1,
    "username=me": "me",
    "password=p%40ss": "p@ss",
    "socket_timeout=0.5": 0.5,
    "socket_timeout=86400": 86_400.0,
    "max_connections=1": 1,
    "timeout=0": 0.0,
    "timeout=1": 1.0,
    "client_name=web-1": "web-1",
    "socket_keepalive=true": True,
    "socket_keepalive=Yes": True,
    "socket_keepalive=y": True,
    "socket_keepalive=1": True,
    "socket_keepalive=FALSE": False,
    "socket_keepalive=no": False,
    "socket_keepalive=n": False,
    "socket_keepalive=0": False,
    "ssl_cert_reqs=CERT_OPTIONAL": "optional",
    "ssl_ca_certs=/dev/null": "/dev/null",
    "ssl_min_version=TLSv1.2": TLSVersion.TLSv1_2,
    "ssl_min_version=771": TLSVersion.TLSv1_2,
    "ssl_min_version=tlsv1.3": TLSVersion.TLSv1_3,
    "ssl_min_version=772": TLSVersion.TLSv1_3,
}
REFUSED = {
    "socket_timeout=abc": "the value of 'socket_timeout' in its query is not a number of seconds above 0",
    "socket_timeout=0": "the value of 'socket_timeout' in its query is not a number of seconds above 0",
    "socket_timeout=-1": "the value of 'socket_timeout' in its query is not a number of seconds above 0",
    "socket_timeout=nan": "the value of 'socket_timeout' in its query is not a number of seconds above 0",
    "socket_timeout=inf": "the value of 'socket_timeout' in its query is not a number of seconds above 0",
    "socket_timeout=": "the value of 'socket_timeout' in its query is not a number of seconds above 0",
    "socket_timeout=86401": "the value of 'socket_timeout' in its query is not a number of seconds above 0",
    "max_connections=2147483648": "the value of 'max_connections' in its query is not a number above 0",
    "max_connections=0": "the value of 'max_connections' in its query is not a number above 0",
    "max_connections=-5": "the value of 'max_connections' in its query is not a number above 0",
    "max_connections=many": "the value of 'max_connections' in its query is not a number above 0",
    "db=x": "the value of 'db' in its query is not a number from 0 up",
    "db=-1": "the value of 'db' in its query is not a number from 0 up",
    "db=²": "the value of 'db' in its query is not a number from 0 up",
    "db=1&db=2": "its query holds 'db' twice",
    "client_name=a b": "the value of 'client_name' in its query is not a word of ASCII without spaces",
    "client_name=a%0Ab": "the value of 'client_name' in its query is not a word of ASCII without spaces",
    "client_name=caf%C3%A9": "the value of 'client_name' in its query is not a word of ASCII without spaces",
    "username=": "the value of 'username' in its query is not a word",
    "username=a%0Ab": "the value of 'username' in its query is not a word",
    "ssl_min_version=TLSv1.1": "the value of 'ssl_min_version' in its query is not TLSv1.2 or TLSv1.3",
    "socket_keepalive=maybe": "the value of 'socket_keepalive' in its query is not true or false",
    "timeout=-1": "the value of 'timeout' in its query is not a number of seconds from 0 up",
    "socket_timout=5": "its query holds an unknown option: 'socket_timout'; did you mean 'socket_timeout'?",
    "colour=red": "its query holds an unknown option: 'colour'",
    "ssl_validate_ocsp=true": "its query holds an unknown option: 'ssl_validate_ocsp'",
    "connection_class=x": "its query holds an unknown option: 'connection_class'",
    "host=x": "its query holds an unknown option: 'host'",
}


@pytest.mark.parametrize(("query", "value"), VALUES.items())
def test_the_text_of_an_option_is_read_as_its_value(query: str, value: object) -> None:
    found = read_query(query, is_tls=True, is_sentinel=True)

    name = query.partition("=")[0]
    assert {**found.pushes, **found.connection, **found.sentinel, **found.tls} == {name: value}


def test_each_option_has_one_use() -> None:
    found = read_query(
        "db=1&client_name=a&timeout=0&ssl=true&ssl_ciphers=x&protocol=3", is_tls=False, is_sentinel=True
    )

    assert (found.connection, found.pushes) == ({"db": 1, "client_name": "a"}, {"timeout": 0.0})
    assert (found.sentinel, found.tls) == ({"ssl": True}, {"ssl_ciphers": "x"})
    assert found.ignored == ("protocol",)


@pytest.mark.parametrize("name", ["x" * 31, "hunter-2"])
def test_a_part_of_a_password_is_not_shown_as_the_name_of_an_option(name: str) -> None:
    with pytest.raises(ValueError, match=r"unknown option: an invalid name$"):
        read_query(f"{name}=1", is_tls=False, is_sentinel=False)


def test_a_long_name_of_an_unknown_option_is_shown() -> None:
    with pytest.raises(ValueError, match=f"unknown option: '{'x' * 30}'$"):
        read_query(f"{'x' * 30}=1", is_tls=False, is_sentinel=False)


def opened(url: str) -> None:
    client(url, 1, is_application=True, source="REDIS_URL").close()


@pytest.mark.parametrize(("url", "query"), [(url, query) for query, urls in TAKEN.items() for url in urls])
def test_an_option_that_counts_is_taken(url: str, query: str, caplog: pytest.LogCaptureFixture) -> None:
    opened(f"{url}?{query}")

    assert caplog.messages == []


@pytest.mark.parametrize("url", ALL)
@pytest.mark.parametrize("query", IGNORED)
def test_an_option_for_other_clients_has_no_effect_and_is_named(
    url: str, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    opened(f"{url}?{query}")

    name = query.partition("=")[0]
    assert caplog.record_tuples == [
        (
            "clock.redis",
            logging.WARNING,
            f"REDIS_URL: the option {name!r} in the query has no effect on clock",
        )
    ]


@pytest.mark.parametrize("query", ["protocol=2", "decode_responses=false", "retry_on_timeout=False"])
def test_an_option_that_says_what_happens_anyway_is_not_mentioned(
    query: str, caplog: pytest.LogCaptureFixture
) -> None:
    opened(f"{TCP}?{query}")

    assert caplog.messages == []


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/1?db=01", "redis://127.0.0.1:1/01?db=1"])
def test_one_database_may_be_named_twice(url: str) -> None:
    assert address.read(url).connection["db"] == 1


@pytest.mark.parametrize("url", ALL)
@pytest.mark.parametrize(("query", "why"), REFUSED.items())
def test_an_option_that_cannot_be_used_is_refused_by_its_name(url: str, query: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connect(f"{url}?{query}")

    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"{TCP}?ssl_cert_reqs=none", "'ssl_cert_reqs' needs TLS"),
        (f"{UNIX}?ssl_ca_certs=/dev/null", "'ssl_ca_certs' needs TLS"),
        (f"{SENTINEL}?ssl_cert_reqs=none", "'ssl_cert_reqs' needs TLS"),
        (f"{TCP}?sentinel_password=hunter2", "'sentinel_password' is for redis\\+sentinel:// and rediss"),
        (f"{TLS}?ssl_ca_certs=/nosuch.crt", "the value of 'ssl_ca_certs' in its query is not an existing file"),
        (
            f"{TLS}?ssl_cert_reqs=maybe",
            "the value of 'ssl_cert_reqs' in its query is not none, optional or required",
        ),
        ("redis://127.0.0.1:1/zero", "the database is a number from 0 up"),
        ("redis://127.0.0.1:1/0/1", "the database is a number from 0 up"),
        ("redis://127.0.0.1:1/1?db=2", "its path and its query name two different databases"),
        ("redis://127.0.0.1:1/-1", "the database is a number from 0 up"),
        (f"redis://127.0.0.1:1/{'9' * 5000}", "the database is a number from 0 up"),
        (f"redis://127.0.0.1:1?db={'9' * 5000}", "db"),
        (f"redis://127.0.0.1:1?{'o' * 5000}=1", "unknown option"),
        ("redis://127.0.0.1:0/0", "the port is 0"),
        ("redis+sentinel://127.0.0.1:0/main", "the port is 0; the usual one is 26379"),
        ("redis://127.0.0.1:65536/0", "the port is above 65535"),
        ("redis+sentinel://one,two:65536/main", "the port is above 65535"),
        (f"redis+sentinel://one:{'9' * 5000}/main", "the port is above 65535"),
        ("redis://127.0.0.1:port/0", "it cannot be read"),
        ("redis+sentinel://one:٣/main", "ports are numbers"),
        ("redis+sentinel://one,/main", "ports are numbers"),
        ("redis+sentinel://one,:1/main", "ports are numbers"),
        ("redis+sentinel://one/", "the service is missing"),
        ("unix://", "the socket is missing"),
        ("redis://cache..example:6379/0", "the host is not a valid name"),
        ("redis://%F0%9F:6379/0", "the host is not a valid name"),
        ("redis://cache%0A:6379/0", "the host is not a valid name"),
        ("redis://my%20cache:6379/0", "the host is not a valid name"),
        ("redis://cache:6379/0#1", "it cannot be read"),
        ("redis://cache:6379/0?db", "it cannot be read"),
        ("redis://cache:6379/0@1", "it cannot be read"),
        ("redis+sentinel://one,cache..example/main", "the host is not a valid name"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(url: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as caught:
        connect(url)

    assert len(str(caught.value)) < 500, "a long URL is shortened"


@pytest.mark.process
def test_a_database_that_the_server_does_not_have_is_named(servers: Servers) -> None:
    server = servers.start("--databases", "2")

    with pytest.raises(StoreError, match="no database of this number: DB index is out of range") as caught:
        connect(f"redis://127.0.0.1:{port_of(server)}/2")
    assert caught.value.cause == "no_such_database"
    assert not isinstance(caught.value, StoreUnavailable)


@pytest.mark.parametrize(("url", "database"), [(UNIX, 0), (f"{UNIX}?db=3", 3), (TCP, 0), ("redis://one/2", 2)])
def test_a_database_is_in_the_path_or_for_a_socket_in_the_query(url: str, database: int) -> None:
    with closing(client(url, 1)) as redis:
        assert redis.get_connection_kwargs().get("db", 0) == database


@pytest.mark.parametrize(
    ("query", "is_checked"),
    [
        ("", True),
        ("?ssl_check_hostname=false", False),
        ("?ssl_cert_reqs=none", False),
        ("?ssl_cert_reqs=optional", True),
    ],
)
def test_the_name_in_a_certificate_is_checked_unless_the_query_turns_it_off(query: str, is_checked: bool) -> None:
    with closing(client(TLS + query, 1)) as redis:
        assert redis.get_connection_kwargs()["ssl_check_hostname"] is is_checked


@pytest.mark.parametrize(
    ("url", "server", "guide"),
    [
        ("redis+sentinel://one/main", TcpLink, TcpLink),
        ("redis+sentinel://one/main?ssl=true", TlsLink, TcpLink),
        ("redis+sentinel://one/main?sentinel_ssl=true", TcpLink, TlsLink),
        ("rediss+sentinel://one/main", TlsLink, TlsLink),
        ("rediss+sentinel://one/main?sentinel_ssl=false", TlsLink, TcpLink),
        ("redis+cluster://one", TcpLink, TcpLink),
        ("rediss+cluster://one", TlsLink, TlsLink),
    ],
)
def test_servers_and_those_that_name_the_primary_are_reached_by_tls_if_the_url_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, url: str, server: type[Link], guide: type[Link]
) -> None:
    made: list[tuple[type[Link], dict[str, object]]] = []

    class Guide:
        def __init__(self, *_: object, kind: type[Link], **connection: object) -> None:
            made.append((kind, connection))

    for name in ("Sentinels", "ClusterNodes"):
        monkeypatch.setattr(f"clock.store.server.client.{name}", Guide)

    with closing(client(url, 1, namespace="shop")) as redis:
        [(kind, connection)] = made

    assert (redis.connection_pool.connection_class, kind) == (server, guide)
    assert ("ssl_check_hostname" in redis.get_connection_kwargs()) is (server is TlsLink)
    assert ("ssl_check_hostname" in connection) is (guide is TlsLink)
    assert not {"namespace", "db"} & set(connection)


def test_the_version_of_the_client_library_is_not_read_for_each_connection() -> None:
    with closing(client(TCP, 1)) as redis:
        assert ("driver_info" in redis.get_connection_kwargs()) is hasattr(library, "DriverInfo")


def test_the_number_of_connections_in_a_url_is_for_pushes_only() -> None:
    worker = client(f"{TCP}?max_connections=1", 12)
    web = client(f"{TCP}?max_connections=3", 10, is_application=True)

    assert worker.connection_pool.max_connections == 12
    assert web.connection_pool.max_connections == 3
