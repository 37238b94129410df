import pytest

from clock.errors import ClockError, ConfigurationError, StoreError, StoreUnavailable
from clock.store.server.address import advised, masked, read
from clock.store.server.connection import connect

SECRETS = [
    "redis://me:hunter2:more@127.0.0.1:1/0",
    "redis://me:hunter2@more@127.0.0.1:1/0",
    "redis://me:hunter2/more@127.0.0.1:1/0",
    "redis://me:hunter2#more@127.0.0.1:1/0",
    "redis://me:hunter2?more@127.0.0.1:1/0",
    "redis://me:hunter2?more=a@127.0.0.1:1/0",
    "redis://me:hunter2@127.0.0.1:port/0",
    "redis://me:hunter2@[::1/0",
    "redis://hunter2@127.0.0.1:1/0",
    "redis://me:hunter2",
    "redis://me:hunter2/0",
    "redis:hunter2",
    "redis://me:123?hunter2@127.0.0.1",
    "redis://me:123?hunter2=more@127.0.0.1",
    "redis://me:123?hunter2",
    "redis+sentinel://me:hunter2/service",
    "redis+sentinel://me:123?hunter2@127.0.0.1/service",
    "redis://127.0.0.1:1/0?password=hunter2",
    "redis://127.0.0.1:1/0?password=hunter2@more",
    "redis://127.0.0.1:1/0?db=x&password=hunter2",
    "redis://me:hunter2@127.0.0.1:1/0?nosuch=1",
    "rediss://me:hunter2@127.0.0.1:1/0?ssl_cert_reqs=nosuch",
    "unix:///nosuch.sock?password=hunter2",
    "redis+sentinel://me:hunter2@127.0.0.1:1/service/0",
    "redis+sentinel://me:hunter2@127.0.0.1:port/service/0",
    "redis+sentinel://me:hunter2@127.0.0.1:1/service/0?socket_timeout=1",
    "redis+sentinel://me:hunter2@127.0.0.1:1/service/0?socket_timeout=soon",
    "redis+sentinel://me:hunter2/more@127.0.0.1:1/service/0",
    "redis+sentinel://me:hunter2@127.0.0.1:1/service/zero",
    "http://me:hunter2@127.0.0.1:1",
    "me:hunter2@127.0.0.1:1",
]


@pytest.mark.parametrize("url", SECRETS)
def test_a_password_is_neither_shown_nor_in_an_error_however_the_url_is_written(url: str) -> None:
    with pytest.raises(ClockError) as caught:
        connect(url)

    said = f"{caught.value} {masked(url)}"
    assert "hunter2" not in said
    assert "more" not in said
    assert "\n" not in said
    assert isinstance(caught.value, ConfigurationError) or "cannot be reached" in said


def test_a_password_that_is_read_as_a_port_is_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        connect("redis://me:4711?x@127.0.0.1")  # urllib reads me as the host, and 4711 as its port

    assert "4711" not in str(caught.value)
    assert "@ : / ? # % are written %40" in str(caught.value)


def test_an_error_says_where_the_url_was_given() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^config/clock.yml:1: 'http://cache': it must start with one of"
    ):
        connect("http://cache", source="config/clock.yml:1")

    with pytest.raises(StoreUnavailable, match=r"Is it running, and is config/clock.yml:1 right\?$"):
        connect("unix:///nosuch.sock", source="config/clock.yml:1")


def test_a_socket_and_a_server_are_shown_as_they_are() -> None:
    assert masked("unix:///srv/app/.clock/valkey.sock") == "unix:///srv/app/.clock/valkey.sock"
    assert masked("localhost:6379") == "localhost:6379"
    assert masked("redis://[::1]:6379/0") == "redis://[::1]:6379/0"
    assert masked("redis+sentinel://one:1,two/main/3") == "redis+sentinel://one:1,two/main/3"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://hunter2@cache:6379/0", "redis://:***@cache:6379/0"),
        ("redis://me:hunter2@cache:6379/0?db=0", "redis://me:***@cache:6379/0"),
        ("redis://me:hunter2/0", "redis://me:***/0"),
        ("redis://one:1,two:hunter2/0", "redis://one:1,two:***/0"),
        ("redis://cache:6379/0?password=hunter2@more", "redis://***"),
    ],
)
def test_a_url_is_shown_without_what_may_be_a_password(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize(
    ("url", "connection"),
    [
        ("redis://", {"host": "localhost", "port": 6379}),
        ("redis://cache", {"host": "cache", "port": 6379}),
        (
            "redis://me:p%40ss@cache:1/3",
            {"username": "me", "password": "p@ss", "host": "cache", "port": 1, "db": 3},
        ),
        ("rediss://:secret@[::1]:65535", {"password": "secret", "host": "::1", "port": 65_535}),
        ("unix:///srv/a%20b@c.sock", {"path": "/srv/a b@c.sock"}),
        ("redis+cluster://one/1", {"db": 1}),
    ],
)
def test_a_url_is_taken_apart(url: str, connection: dict[str, object]) -> None:
    assert read(url).connection == connection


def test_each_place_of_a_list_has_its_port_or_the_usual_one() -> None:
    cluster = read("redis+cluster://me:secret@one,two:7000,[::1]:07001")
    sentinels = read("rediss+sentinel://[::1],two:65535/main")

    assert cluster.guides == (("one", 6379), ("two", 7000), ("::1", 7001))
    assert sentinels.guides == (("::1", 26379), ("two", 65_535))


def test_the_kinds_of_urls_are_listed() -> None:
    with pytest.raises(ConfigurationError) as caught:
        connect("http://cache")

    assert "one of redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://" in str(caught.value)


def test_an_unknown_option_in_the_query_is_named() -> None:
    with pytest.raises(
        ConfigurationError, match="'redis://cache:6379/0': its query holds an unknown option: 'colour'"
    ):
        connect("redis://cache:6379/0?colour=red")


def test_sentinels_are_told_a_password_as_it_is_meant() -> None:
    found = read("redis+sentinel://me:p%40ss@one:1,two/main/3?socket_timeout=5")

    assert (found.guides, found.service) == ((("one", 1), ("two", 26379)), "main")
    assert found.connection == {"username": "me", "password": "p@ss", "db": 3}
    assert found.options.pushes == {"socket_timeout": 5.0}


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
