import pytest

from clock.errors import ClockError, ConfigurationError
from clock.store.address import masked, sentinels
from clock.store.connection import connect

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


def test_a_socket_and_a_server_are_shown_as_they_are() -> None:
    assert masked("unix:///srv/app/.clock/valkey.sock") == "unix:///srv/app/.clock/valkey.sock"
    assert masked("localhost:6379") == "localhost:6379"


def test_an_unknown_option_in_the_query_is_named() -> None:
    with pytest.raises(
        ConfigurationError, match="'redis://cache:6379/0': its query holds an unknown option: 'colour'"
    ):
        connect("redis://cache:6379/0?colour=red")


def test_sentinels_are_told_a_password_as_it_is_meant() -> None:
    found = sentinels("redis+sentinel://me:p%40ss@one:1,two/main/3?socket_timeout=5")

    assert (found.addresses, found.service) == ([("one", 1), ("two", 26379)], "main")
    assert found.options == {"username": "me", "password": "p@ss", "db": 3, "socket_timeout": 5.0}
