"""How the embedded Valkey is asked whether it runs."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from clock.store.embedded import SOCKET_PATH_LIMIT, EmbeddedFiles, files_of, probe_of
from clock.store.embedded_keeper import lives


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
