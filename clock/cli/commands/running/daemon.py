"""`clock daemon`: the clock in the background, with a pid file and a log file, like Clockwork's `clockworkd`."""

from __future__ import annotations

import io
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import NoReturn

import click

from clock.cli.commands.running.run import run
from clock.cli.groups import CommandGroup
from clock.cli.options import GivenPath, setting_option
from clock.cli.output import echo
from clock.cli.pid_file import LOOK_SECONDS, PidFile, open_own
from clock.clocks import SystemClock
from clock.config import Config
from clock.errors import ClockError, ConfigurationError
from clock.forking import close_in_child

START_SECONDS = 60.0  # a clock that has neither started nor exited by then is waiting, for a slow disk perhaps
STOP_SECONDS = 30.0  # longer than a clock waits for its actions
NOT_RUNNING = "No clock is running (pid file {})"


@dataclass(frozen=True, slots=True)
class _Daemon:
    """A clock in the background, identified by its files."""

    clock_file: Path
    pid_file: PidFile
    log_file: Path


@click.group("daemon", cls=CommandGroup)
def daemon_command() -> None:
    """Run the clock in the background."""


def _files_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name a clock's files; the command receives the clock of these files."""

    @setting_option("clock_file", "--clock", "-c")
    @click.option("--pid-dir", type=GivenPath(), default=Path("tmp"), help="Folder of the pid file; default: tmp.")
    @click.option("--log-dir", type=GivenPath(), default=Path("log"), help="Folder of the log file; default: log.")
    @click.option("--identifier", "-i", help="Name of the pid and log files; default: the clock file's name.")
    @wraps(command)
    def with_files(clock_file: Path | None, pid_dir: Path, log_dir: Path, identifier: str | None) -> None:
        clock_file = clock_file or Config().clock_file
        name = f"clock.{identifier or clock_file.stem}"
        pid_file = PidFile(pid_dir.absolute() / f"{name}.pid")
        command(_Daemon(clock_file, pid_file, log_dir.absolute() / f"{name}.log"))

    return with_files


@daemon_command.command()
@_files_options
def start(daemon: _Daemon) -> None:
    """Start the clock in the background. Its log goes to LOG_DIR/clock.NAME.log.

    \b
    Example: clock daemon start -c lib/clock.py --pid-dir tmp/pids --log-dir log
    """
    _start(daemon)


@daemon_command.command()
@_files_options
def stop(daemon: _Daemon) -> None:
    """Stop the clock after its running actions finish.

    \b
    Example: clock daemon stop --pid-dir tmp/pids
    """
    if not _stop(daemon):
        raise ClockError(NOT_RUNNING.format(daemon.pid_file.path))


@daemon_command.command()
@_files_options
def restart(daemon: _Daemon) -> None:
    """Restart the clock, or start it if it is not running. Runs missed in between are caught up.

    \b
    Example: clock daemon restart -c lib/clock.py
    """
    _stop(daemon)
    _start(daemon)


@daemon_command.command()
@_files_options
def status(daemon: _Daemon) -> None:
    """Show whether the clock is running. Exits 1 if it is not.

    \b
    Example: clock daemon status
    """
    pid = daemon.pid_file.holder()
    if pid is None:
        raise ClockError(NOT_RUNNING.format(daemon.pid_file.path))
    echo(f"Running, pid {pid}, log {daemon.log_file}")


def _start(daemon: _Daemon) -> None:
    for path in (daemon.pid_file.path, daemon.log_file):
        _make_folder(path.parent)
    with open_own(daemon.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as log, daemon.pid_file.take() as held:
        before = os.fstat(log.fileno()).st_size
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _become_daemon(daemon, held, log, writing)
    os.close(writing)
    os.waitpid(child, 0)
    _await_start(daemon, reading, before)
    os.close(reading)
    echo(f"Started, pid {daemon.pid_file.holder()}, log {daemon.log_file}")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"cannot create the folder {folder}: {error.strerror}"
    else:
        if os.access(folder, os.W_OK | os.X_OK):
            return
        problem = f"cannot write to the folder {folder}"
    raise ConfigurationError(f"{problem}; choose others with --pid-dir and --log-dir")


def _become_daemon(daemon: _Daemon, held: io.FileIO, log: io.FileIO, alive: int) -> NoReturn:
    """Leave the terminal and run the clock; it writes to the descriptor `alive` when it has started.

    The descriptor closes when this process ends, and so does `held`, the lock on the pid file.
    """
    os.setsid()
    if os.fork():
        os._exit(0)  # the remaining process is not a session leader, so it cannot get a terminal
    for descriptor, target in ((os.open(os.devnull, os.O_RDONLY), 0), (log.fileno(), 1), (log.fileno(), 2)):
        os.dup2(descriptor, target)
    _close_all_but(0, 1, 2, held.fileno(), log.fileno(), alive)
    close_in_child(held)
    os.truncate(held.fileno(), 0)
    os.pwrite(held.fileno(), f"{os.getpid()}\n".encode(), 0)
    try:
        run.main([str(daemon.clock_file)], standalone_mode=False, obj=lambda: os.write(alive, b"begun"))
    except ClockError as error:
        echo(f"clock: {error}", err=True)
        sys.exit(error.exit_code)
    finally:
        daemon.pid_file.remove(held)
    sys.exit(0)


def _close_all_but(*kept: int) -> None:
    """Close inherited descriptors: an open pipe of the caller would make it wait."""
    for name in os.listdir("/dev/fd"):  # noqa: PTH208  # they are numbers
        if int(name) not in kept:
            with suppress(OSError):  # the descriptor of the listing itself
                os.close(int(name))


def _await_start(daemon: _Daemon, alive: int, before: int) -> None:
    """Wait until the clock has started its work, or has exited. Raises ClockError with its last output."""
    problem, _, _ = select.select([alive], [], [], START_SECONDS)
    if problem and not os.read(alive, 1):
        written = b""
        with suppress(OSError), daemon.log_file.open("rb") as log:  # it may be unreadable, or moved away
            log.seek(before)
            written = log.read()
        words = written.decode(errors="replace").strip().splitlines()
        raise ClockError(words[-1].removeprefix("clock: ") if words else f"it exited; see {daemon.log_file}")


def _stop(daemon: _Daemon) -> bool:
    """Stop the clock and wait for its end; False: no clock was running. Raises ClockError if it does not stop."""
    pid = daemon.pid_file.holder()
    if pid is None:
        return False
    clock, never = SystemClock(), threading.Event()
    try:
        os.kill(pid, signal.SIGTERM)
    except PermissionError:
        raise ClockError(f"The clock with pid {pid} belongs to another user; only that user can stop it") from None
    deadline = clock.monotonic() + STOP_SECONDS
    while daemon.pid_file.holder() == pid:
        if clock.monotonic() > deadline:
            raise ClockError(f"pid {pid} has not stopped within {STOP_SECONDS:g} s; see {daemon.log_file}")
        clock.wait(never, LOOK_SECONDS)
    daemon.pid_file.remove_stale()
    echo(f"Stopped, pid {pid}")
    return True
