"""How the embedded Valkey is asked whether it runs."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from clock.errors import StoreError, StoreUnavailable
from clock.store.server.connection import connect, translated
from clock.store.server.embedded import embedded
from clock.store.server.embedded.embedded import explained, probe_of, start_or_join, trouble
from clock.store.server.embedded.files import SOCKET_PATH_LIMIT, EmbeddedFiles, files_of
from clock.store.server.embedded.keeper import Keeper, lives, shut_down
from clock.store.server.sending import send
from clock.testing import FakeClock
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


class Keepers:
    """In place of the processes that keep a server running: `codes` are the exit codes of each, in its looks."""

    def __init__(self, *codes: Sequence[int | None]) -> None:
        self.started: list[Sequence[str]] = []
        self._codes = list(codes)

    def __call__(self, command: Sequence[str], **_: object) -> Any:
        self.started.append(command[-2:])
        codes = list(self._codes.pop(0)) if self._codes else [None]
        return SimpleNamespace(poll=lambda: codes.pop(0) if len(codes) > 1 else codes[0])


class WaitingClock(FakeClock):
    """Time passes while somebody waits."""

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.advance(timedelta(seconds=seconds))
        return stop.is_set()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedFiles]:
    """The files of a folder's server, which does not run; this process uses no embedded server."""
    monkeypatch.setattr(embedded, "_held", {})
    monkeypatch.setattr(embedded, "_keepers", [])
    monkeypatch.setattr("atexit.register", lambda *_: None)
    yield files_of(tmp_path)
    for descriptor in embedded._held.values():
        os.close(descriptor)


@pytest.fixture
def keepers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Keepers]:
    def start(*codes: Sequence[int | None]) -> Keepers:
        found = Keepers(*codes)
        monkeypatch.setattr(subprocess, "Popen", found)
        return found

    return start


@pytest.fixture
def waiting_clock() -> WaitingClock:
    return WaitingClock(datetime(2026, 11, 24, 6, tzinfo=UTC))


@pytest.mark.parametrize("code", [1, 3])
def test_a_server_whose_keeper_fails_is_not_waited_for(
    files: EmbeddedFiles, keepers: Callable[..., Keepers], waiting_clock: WaitingClock, code: int
) -> None:
    started = keepers([None, None, code])

    with pytest.raises(StoreError, match=r"^the embedded Valkey did not start\. ") as caught:
        start_or_join(files.home.parent, clock=waiting_clock)

    assert str(files.home) in str(caught.value)
    assert started.started == [[str(files.home), str(files.socket)]]
    assert waiting_clock.monotonic() < 1


def test_a_server_that_does_not_answer_is_waited_for_while_its_keeper_runs(
    files: EmbeddedFiles,
    keepers: Callable[..., Keepers],
    waiting_clock: WaitingClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedded, "START_SECONDS", 0.5)
    started = keepers([None])

    with pytest.raises(StoreError, match="did not start"):
        start_or_join(files.home.parent, clock=waiting_clock)

    assert len(started.started) == 1
    assert 0.5 <= waiting_clock.monotonic() < 0.6


def test_another_keeper_is_started_if_the_first_one_left_the_server_to_one_that_is_gone(
    files: EmbeddedFiles, keepers: Callable[..., Keepers], waiting_clock: WaitingClock
) -> None:
    started = keepers([0], [None, 1])

    with pytest.raises(StoreError):
        start_or_join(files.home.parent, clock=waiting_clock)

    assert len(started.started) == 2


def test_the_folder_of_a_server_is_for_its_user_alone_and_not_for_git(
    files: EmbeddedFiles, keepers: Callable[..., Keepers], waiting_clock: WaitingClock
) -> None:
    keepers([1], [1])
    files.home.mkdir(mode=0o755)

    for _ in range(2):
        with pytest.raises(StoreError, match="did not start"):
            start_or_join(files.home.parent, clock=waiting_clock)

    assert files.home.stat().st_mode & 0o777 == 0o700
    assert (files.home / ".gitignore").read_text() == "*\n"
    assert list(embedded._held) == [files.home]


@pytest.mark.parametrize("kind", ["a link", "a file"])
def test_a_folder_that_another_user_may_control_is_refused(
    files: EmbeddedFiles, tmp_path: Path, kind: str
) -> None:
    if kind == "a link":
        (tmp_path / "other").mkdir()
        files.home.symlink_to(tmp_path / "other")
    else:
        files.home.touch()

    with pytest.raises(StoreError, match=r"belongs to another user|cannot be used"):
        start_or_join(files.home.parent)


def test_a_folder_that_cannot_be_written_is_named(files: EmbeddedFiles) -> None:
    with pytest.raises(StoreError, match=r"cannot be used in /proc/nosuch: No such file .* set REDIS_URL"):
        start_or_join(Path("/proc/nosuch"))


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("1\n2\n 3 \n4\n", "Its log ends: 2 / 3 / 4"),
        ("", "is empty"),
        ("Bad file format\nlast", "Its data are damaged"),
        ("first\nMISCONF: No space left on device", "Its disk was full: free some space (log: "),
    ],
)
def test_the_log_of_a_server_says_why_it_does_not_run(files: EmbeddedFiles, log: str, words: str) -> None:
    files.home.mkdir()
    files.log.write_text(log)

    assert words in trouble(files)


@pytest.mark.parametrize(("blocks", "is_full"), [(15, True), (16, False)])
def test_a_full_disk_is_named_first(
    files: EmbeddedFiles, monkeypatch: pytest.MonkeyPatch, blocks: int, is_full: bool
) -> None:
    files.home.mkdir()
    files.log.write_text("Out of memory\n")
    monkeypatch.setattr("os.statvfs", lambda _: SimpleNamespace(f_bavail=blocks, f_frsize=4096))

    assert ("is full: free some space" in trouble(files)) is is_full


def test_a_folder_that_is_gone_is_named(files: EmbeddedFiles) -> None:
    assert trouble(files).endswith("stop all processes that use it, and start them again")


@pytest.mark.parametrize(
    ("cause", "named", "kept", "others", "is_explained", "starts"),
    [
        ("unreachable", True, False, [], True, 1),
        ("unreachable", True, False, [1], True, 1),  # the keeper of this process has ended
        ("unreachable", True, False, [None], True, 0),
        ("unreachable", True, True, [], True, 0),
        ("unreachable", False, False, [], False, 0),
        ("no_answer", True, False, [], False, 0),
    ],
)
def test_an_error_of_the_own_server_says_why_it_does_not_run_and_its_keeper_is_replaced(
    files: EmbeddedFiles,
    keepers: Callable[..., Keepers],
    cause: str,
    named: bool,
    kept: bool,
    others: list[int | None],
    is_explained: bool,
    starts: int,
) -> None:
    started = keepers()
    files.home.mkdir()
    files.log.write_text("the end\n")
    embedded._held[files.home] = os.open(files.users, os.O_RDWR | os.O_CREAT)
    embedded._keepers.extend(SimpleNamespace(poll=lambda code=code: code) for code in others)  # type: ignore[misc]
    original = RedisError("no")
    original.add_note(f"Socket: {files.socket if named else '/other.sock'}")
    keeper = os.open(files.keeper, os.O_RDWR | os.O_CREAT)
    if kept:
        fcntl.flock(keeper, fcntl.LOCK_EX)

    found = explained(StoreUnavailable("Redis cannot be reached.", cause=cause), original)

    os.close(keeper)
    text = "Redis cannot be reached. Its log ends: the end. It is restarted until it runs."
    assert str(found) == (text if is_explained else "Redis cannot be reached.")
    assert found.cause == cause
    assert len(started.started) == starts


def test_a_server_is_shut_down_by_its_socket_and_its_process_is_named(tmp_path: Path) -> None:
    path, received = tmp_path / "valkey.sock", list[bytes]()

    def serve(server: socket.socket) -> None:
        with server.accept()[0] as link, link.makefile("rb") as lines:
            received.append(lines.readline())
            link.sendall(b"$30\r\nredis_version:8\r\nprocess_id:4711\r\n")
            received.append(lines.readline())

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=serve, args=[server])
        thread.start()
        assert shut_down(path) == 4711
        thread.join()

    assert received == [b"INFO server\r\n", b"SHUTDOWN NOSAVE\r\n"]
    assert shut_down(path) is None
