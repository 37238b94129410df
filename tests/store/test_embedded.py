"""How the embedded Valkey is asked whether it runs."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from clock.errors import StoreUnavailable
from clock.store.server.connection import connect, translated
from clock.store.server.embedded.embedded import probe_of
from clock.store.server.embedded.files import SOCKET_PATH_LIMIT, EmbeddedFiles, files_of
from clock.store.server.embedded.keeper import Keeper, lives
from clock.store.server.sending import send
from tests.store.talking import serving


def test_a_server_that_does_not_answer_is_asked_once(tmp_path: Path) -> None:
    files = EmbeddedFiles(tmp_path, tmp_path / "valkey.sock")
    asked = 0

    def hang_up_on_all(server: socket.socket) -> None:
        nonlocal asked
        with suppress(OSError):  # the test is over
            while True:
                caller, _ = server.accept()
                asked += 1
                caller.close()

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(files.socket))
        server.listen()
        thread = threading.Thread(target=hang_up_on_all, args=(server,))
        thread.start()
        with probe_of(files) as probe, pytest.raises(RedisError):
            probe.ping()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()

    assert asked == 1


def command(redis: Redis) -> None:
    redis.get("x")


def push(redis: Redis) -> None:
    send(redis, [[("SADD", "x", "y")]], within=5.0)


@pytest.mark.parametrize("way", [command, push])
def test_an_error_of_another_server_says_nothing_of_the_embedded_one(
    way: Callable[[Redis], None], redis: Redis
) -> None:
    answers = {b"INFO": b"$21\r\nredis_version:7.4.0\r\n\r\n", b"CLIENT": b"+OK\r\n"}
    with serving(lambda words: answers.get(words[0])) as url:
        other = connect(url)
        with pytest.raises(StoreUnavailable, match="closed by server") as caught, translated():
            way(other)
        other.close()

    assert redis.ping(), "this process uses an embedded server"
    assert "started again" not in str(caught.value)


def server_of(files: EmbeddedFiles, keeper: threading.Thread) -> int:
    """The process id of the server that answers, asked without a pause until one does."""
    with probe_of(files) as probe:
        while keeper.is_alive():
            with suppress(RedisError):
                return int(probe.info("server")["process_id"])
    raise AssertionError("the keeper has ended")


@pytest.mark.process
def test_a_server_that_dies_as_soon_as_it_has_answered_is_started_again(tmp_path: Path) -> None:
    files = EmbeddedFiles(tmp_path, tmp_path / "valkey.sock")
    in_use = os.open(files.users, os.O_RDWR | os.O_CREAT)
    fcntl.flock(in_use, fcntl.LOCK_SH)
    keeper = threading.Thread(target=Keeper(files).run)
    keeper.start()

    first = server_of(files, keeper)
    os.kill(first, signal.SIGKILL)
    second = server_of(files, keeper)

    os.close(in_use)
    keeper.join()
    assert first != second


@pytest.mark.process
def test_a_server_that_has_ended_and_is_reaped_by_nobody_does_not_live() -> None:
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)

    assert not lives(ended.pid)
    ended.wait()
    assert not lives(ended.pid)
    assert lives(os.getpid())


def test_processes_with_another_tmpdir_find_the_same_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("long-name-" * 10)
    before = files_of(folder).socket

    monkeypatch.setenv("TMPDIR", str(tmp_path / ("another-" * 10)))
    monkeypatch.setattr(tempfile, "tempdir", None)  # the standard library remembers what it once found

    assert files_of(folder).socket == before
    assert len(str(before)) <= SOCKET_PATH_LIMIT
