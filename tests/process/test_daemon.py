"""The clock in the background, as an operator handles it."""

import fcntl
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.patience import PATIENCE_SECONDS, eventually
from tests.process.conftest import App

pytestmark = [pytest.mark.process, pytest.mark.slow]


PID_FILE = "tmp/clock.clock.pid"


def alive(pid: int) -> bool:
    """Whether it runs; one that has ended and that nobody has asked after does not."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)],  # noqa: S607  # wherever the system has it
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return state.strip() != "" and not state.startswith("Z")


@pytest.fixture
def daemons(app: App) -> Iterator[App]:
    app.write("lib/clock.py", "from clock import every\nevery().second.do(print, 'tick').named('tick')\n")
    yield app
    app.clock("daemon", "stop")


def pid_of(app: App) -> int:
    return int((app.folder / PID_FILE).read_text())


def test_it_starts_says_so_logs_and_stops(daemons: App) -> None:
    started = daemons.clock("daemon", "start", "-c", "lib/clock.py")

    assert re.match(r"Started, pid \d+, log .*/log/clock.clock.log\n", started.stdout), started.stderr
    assert daemons.clock("daemon", "status").stdout.startswith(f"Running, pid {pid_of(daemons)}, ")
    log = daemons.folder / "log/clock.clock.log"
    eventually(lambda: "Triggering 'tick'" in log.read_text(), "a firing in the log")

    pid = pid_of(daemons)
    assert daemons.clock("daemon", "stop").stdout == f"Stopped, pid {pid}\n"
    eventually(lambda: not alive(pid), "the clock has ended")
    assert not (daemons.folder / PID_FILE).exists()
    assert log.read_text().rstrip().endswith("Stopped")


def test_one_that_runs_is_not_started_twice(daemons: App) -> None:
    daemons.clock("daemon", "start")

    again = daemons.clock("daemon", "start")

    assert again.returncode == 1
    assert again.stderr.startswith(f"clock: A clock is already running: pid {pid_of(daemons)} (pid file ")


def test_restart_gives_it_a_new_process(daemons: App) -> None:
    daemons.clock("daemon", "start")
    before = pid_of(daemons)

    daemons.clock("daemon", "restart")

    assert pid_of(daemons) != before
    eventually(lambda: not alive(before), "the clock before it has ended")


def test_the_pid_file_of_a_killed_clock_is_no_hindrance(daemons: App) -> None:
    daemons.clock("daemon", "start")
    os.kill(pid_of(daemons), signal.SIGKILL)
    eventually(lambda: daemons.clock("daemon", "status").returncode == 1, "the end of the clock")

    assert daemons.clock("daemon", "start").returncode == 0


def test_a_clock_that_cannot_start_says_why(daemons: App) -> None:
    daemons.write("lib/clock.py", "from clock import every\nevery().day.at('32:00').do(print)\n")

    ended = daemons.clock("daemon", "start")

    assert ended.returncode == 1
    assert ended.stderr.startswith("clock: lib/clock.py:2: at('32:00')")
    assert daemons.clock("daemon", "status").returncode == 1


def test_a_clock_that_cannot_start_and_whose_log_was_moved_is_told_in_a_line(daemons: App) -> None:
    daemons.write("lib/clock.py", "import os\nos.rename('log/clock.clock.log', 'old.log')\n1 / 0\n")

    ended = daemons.clock("daemon", "start")

    assert ended.stderr == f"clock: it exited; see {daemons.folder / 'log/clock.clock.log'}\n"


def test_a_clock_that_takes_its_time_and_then_cannot_start_says_why(daemons: App) -> None:
    daemons.write("lib/clock.py", "import time\ntime.sleep(4)\n1 / 0\n")

    ended = daemons.clock("daemon", "start")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "clock: lib/clock.py:3: ZeroDivisionError: division by zero\n"


def test_a_clock_that_logs_nothing_of_its_start_has_started_when_it_is_said(daemons: App) -> None:
    daemons.environ["CLOCK_LOG_LEVEL"] = "error"

    started = daemons.clock("daemon", "start")

    assert started.stdout.startswith(f"Started, pid {pid_of(daemons)}, "), started.stderr
    assert "Starting clock" not in (daemons.folder / "log/clock.clock.log").read_text()


def test_a_folder_that_cannot_be_made_is_told_in_a_line(daemons: App) -> None:
    daemons.write("taken", "")

    started = daemons.clock("daemon", "start", "--pid-dir", "taken/pids")

    assert started.returncode == 1
    assert started.stderr == (
        f"clock: cannot create the folder {daemons.folder / 'taken/pids'}: Not a directory; "
        "choose others with --pid-dir and --log-dir\n"
    )


def test_nothing_to_stop_is_told(daemons: App) -> None:
    stopped = daemons.clock("daemon", "stop")

    assert stopped.returncode == 1
    assert stopped.stderr == f"clock: No clock is running (pid file {daemons.folder / PID_FILE})\n"


@pytest.fixture
def stranger(daemons: App) -> Iterator[int]:
    """A process that has nothing to do with a clock, but a name like a daemon's, and is named by the pid file."""
    popen = subprocess.Popen([sys.executable, "-c", "input()", "clock", "daemon", "start"], stdin=subprocess.PIPE)
    daemons.write(PID_FILE, f"{popen.pid}\n")
    yield popen.pid
    assert popen.poll() is None
    popen.communicate()


def test_a_pid_that_another_process_has_now_is_nobodys(daemons: App, stranger: int) -> None:
    assert daemons.clock("daemon", "status").returncode == 1
    assert daemons.clock("daemon", "stop").returncode == 1

    with (daemons.folder / PID_FILE).open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # by a third process
        assert daemons.clock("daemon", "stop").returncode == 1
    started = daemons.clock("daemon", "restart")

    assert started.returncode == 0, started.stderr
    assert "Stopped" not in started.stdout
    assert pid_of(daemons) != stranger


def test_the_lock_ends_with_the_clock_though_a_child_of_its_application_lives_on(daemons: App) -> None:
    fork = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\n    os._exit(0)\n"
    daemons.write("lib/clock.py", fork + (daemons.folder / "lib/clock.py").read_text())
    daemons.clock("daemon", "start")

    assert daemons.clock("daemon", "stop").returncode == 0
    assert daemons.clock("daemon", "status").returncode == 1


def test_files_are_as_open_as_the_users_mask_allows(daemons: App) -> None:
    before = os.umask(0o077)
    try:
        daemons.clock("daemon", "start")
    finally:
        os.umask(before)

    for name in (PID_FILE, "log/clock.clock.log"):
        assert (daemons.folder / name).stat().st_mode & 0o777 == 0o600
    assert daemons.clock("daemon", "stop").returncode == 0


def test_its_start_lets_the_callers_pipe_end(daemons: App) -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    subprocess.run(
        [sys.executable, "-m", "clock", "daemon", "start"],
        cwd=daemons.folder,
        env=daemons.environ,
        close_fds=False,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    os.close(writing)

    ended, _, _ = select.select([reading], [], [], 30)
    os.close(reading)
    assert ended
