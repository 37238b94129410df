"""`clock daemon` touches no file that is not its own."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from clock.cli.pid_file import PidFile
from clock.errors import ClockError, ConfigurationError

Command = Callable[..., Result]
PID_FILE, LOG_FILE = "tmp/clock.clock.pid", "log/clock.clock.log"


@pytest.mark.parametrize("name", [PID_FILE, LOG_FILE])
@pytest.mark.parametrize("kind", ["symlink", "dangling", "hard link", "fifo", "folder"])
def test_no_link_is_followed_and_only_a_regular_file_is_written(
    clock: Command, application: Path, name: str, kind: str
) -> None:
    path, target = application / name, application / "precious"
    path.parent.mkdir()
    target.write_text("7\n")
    makers: dict[str, Callable[[], object]] = {
        "symlink": lambda: path.symlink_to(target),
        "dangling": lambda: path.symlink_to("nowhere"),
        "hard link": lambda: path.hardlink_to(target),
        "fifo": lambda: os.mkfifo(path),
        "folder": path.mkdir,
    }
    makers[kind]()

    with pytest.raises(ConfigurationError, match=f"{path} cannot be used: "):
        clock("daemon", "start")
    for word in ("stop", "status") if name == PID_FILE else ():
        with pytest.raises(ConfigurationError, match=f"{path} cannot be used: "):
            clock("daemon", word)

    assert target.read_text() == "7\n"
    assert not (application / "nowhere").exists()
    assert os.path.lexists(path)


@pytest.mark.parametrize("word", ["start", "stop", "status", "restart"])
def test_a_file_that_is_no_pid_file_is_left_as_it_is(clock: Command, application: Path, word: str) -> None:
    path = application / PID_FILE
    path.parent.mkdir()
    path.write_text("my diary\n")

    with pytest.raises(ConfigurationError, match=f"{path} is not a pid file; it is not changed"):
        clock("daemon", word)

    assert path.read_text() == "my diary\n"


@pytest.fixture
def pid_file(application: Path) -> PidFile:
    (application / "tmp").mkdir()
    return PidFile(application / PID_FILE)


@pytest.fixture
def running(pid_file: PidFile) -> Iterator[None]:
    """A clock that runs in the background: this process, which ignores TERM."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with pid_file.take() as held:
        os.pwrite(held.fileno(), f"{os.getpid()}\n".encode(), 0)
        yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("running")
def test_a_clock_that_does_not_stop_in_time_is_named(clock: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clock.cli.commands.running.daemon.STOP_SECONDS", 0.0)

    with pytest.raises(ClockError, match=f"pid {os.getpid()} has not stopped within 0 s; see .*clock.clock.log"):
        clock("daemon", "stop")


@pytest.mark.usefixtures("running")
def test_a_clock_of_another_user_is_not_stopped(clock: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)

    with pytest.raises(ClockError, match="belongs to another user; only that user can stop it"):
        clock("daemon", "stop")


@pytest.mark.usefixtures("running")
def test_a_pid_whose_open_files_only_root_may_list_counts_as_that_of_the_clock(
    pid_file: PidFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "iterdir", refuse)

    assert pid_file.holder() == os.getpid()


def test_a_pid_without_a_process_does_not_count_though_a_command_tests_the_lock(pid_file: PidFile) -> None:
    with pid_file.take() as held:
        os.pwrite(held.fileno(), b"4194305\n", 0)  # more than Linux gives

        assert pid_file.holder() is None


def test_a_lock_that_a_command_holds_for_long_is_reported(
    pid_file: PidFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clock.cli.pid_file.PATIENCE", 2)

    with pid_file.take(), pytest.raises(ClockError, match="Another process has locked the pid file"):
        pid_file.take()


def test_the_pid_file_of_another_user_is_refused(
    clock: Command, pid_file: PidFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid_file.path.touch()
    monkeypatch.setattr(os, "geteuid", lambda: pid_file.path.stat().st_uid + 1)

    with pytest.raises(ConfigurationError, match="belongs to another user; use another --pid-dir"):
        clock("daemon", "start")


def test_a_pid_file_that_nobody_holds_is_deleted_and_one_that_another_clock_made_stays(pid_file: PidFile) -> None:
    with pid_file.take() as mine:
        pid_file.remove_stale()
        assert pid_file.path.exists()
        pid_file.path.unlink()
        pid_file.remove(mine)
        pid_file.path.write_text("7\n")  # of a clock that has started since
        pid_file.remove(mine)

    assert pid_file.path.read_text() == "7\n"
    pid_file.remove_stale()
    assert not pid_file.path.exists()


def test_a_folder_without_write_permission_is_refused(
    clock: Command, application: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere

    with pytest.raises(ConfigurationError, match=f"cannot write to the folder {application / 'tmp'}; choose"):
        clock("daemon", "start")
