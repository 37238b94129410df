"""`clock daemon`: the clock in the background, with a pid file and a log file, as Clockwork's `clockworkd`."""

from __future__ import annotations

import importlib
import importlib.util
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import NoReturn

import click

from clock.cli.commands import CommandGroup
from clock.cli.output import echo
from clock.cli.run import run
from clock.clocks import SystemClock
from clock.errors import ClockError, ConfigurationError

START_SECONDS = 60.0  # a clock that has neither begun nor ended by then waits for something, as for a slow disk
STOP_SECONDS = 30.0  # longer than a clock waits for its actions
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _Daemon:
    """A clock in the background, known by its files."""

    clock_file: Path
    pid_file: Path
    log_file: Path

    @property
    def pid(self) -> int | None:
        """Its process; None: it does not run. A pid that went to another process does not count."""
        try:
            pid = int(self.pid_file.read_text())
        except (OSError, ValueError):
            return None
        return pid if "daemon" in _command_line(pid) else None


@click.group("daemon", cls=CommandGroup)
def daemon_command() -> None:
    """Run the clock in the background. Needs the extra `daemon`: pip install 'clockd[daemon]'."""


def _files_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name a clock's files; the command gets the clock that they mean."""

    @click.option(
        "--clock",
        "-c",
        "clock_file",
        type=click.Path(path_type=Path),
        default=Path("lib/clock.py"),
        help="The clock file; default: lib/clock.py.",
    )
    @click.option(
        "--pid-dir",
        type=click.Path(path_type=Path),
        default=Path("tmp"),
        help="For the pid file; default: tmp.",
    )
    @click.option(
        "--log-dir", type=click.Path(path_type=Path), default=Path("log"), help="For the log; default: log."
    )
    @click.option("--identifier", "-i", help="Names the files, where several run; default: the clock file's name.")
    @wraps(command)
    def with_files(clock_file: Path, pid_dir: Path, log_dir: Path, identifier: str | None) -> None:
        name = f"clock.{identifier or clock_file.stem}"
        command(_Daemon(clock_file, (pid_dir / f"{name}.pid").resolve(), (log_dir / f"{name}.log").resolve()))

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
    """Stop the clock; it finishes what runs.

    \b
    Example: clock daemon stop --pid-dir tmp/pids
    """
    if not _stop(daemon):
        raise ClockError(f"no clock runs by {daemon.pid_file}")


@daemon_command.command()
@_files_options
def restart(daemon: _Daemon) -> None:
    """Stop the clock, if it runs, and start it again. What is due in between is caught up.

    \b
    Example: clock daemon restart -c lib/clock.py
    """
    _stop(daemon)
    _start(daemon)


@daemon_command.command()
@_files_options
def status(daemon: _Daemon) -> None:
    """Say whether the clock runs; exits 1 where it does not.

    \b
    Example: clock daemon status
    """
    if daemon.pid is None:
        raise ClockError(f"no clock runs by {daemon.pid_file}")
    echo(f"Running, pid {daemon.pid}, log {daemon.log_file}")


def _start(daemon: _Daemon) -> None:
    if importlib.util.find_spec("daemon") is None:
        raise ConfigurationError("the background is python-daemon's work: pip install 'clockd[daemon]'")
    if daemon.pid is not None:
        raise ClockError(f"a clock runs already: pid {daemon.pid}, by {daemon.pid_file}")
    for path in (daemon.pid_file, daemon.log_file):
        _make_folder(path.parent)
    daemon.pid_file.unlink(missing_ok=True)  # left by a clock that was killed
    before = daemon.log_file.stat().st_size if daemon.log_file.exists() else 0
    reading, writing = os.pipe()
    if os.fork() == 0:
        _become_daemon(daemon, writing)
    os.close(writing)
    _await_start(daemon, reading, before)
    os.close(reading)
    echo(f"Started, pid {daemon.pid}, log {daemon.log_file}")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        told = f"the folder {folder} cannot be made: {error.strerror}"
    else:
        if os.access(folder, os.W_OK):
            return
        told = f"the folder {folder} cannot be written to"
    raise ConfigurationError(f"{told}; name others with --pid-dir and --log-dir")


def _become_daemon(daemon: _Daemon, alive: int) -> NoReturn:
    """Leave the terminal and run the clock; it writes to the descriptor `alive` when it has begun.

    That closes when this process ends.
    """
    library, locks = importlib.import_module("daemon"), importlib.import_module("daemon.pidfile")
    log = daemon.log_file.open("a")
    context = library.DaemonContext(
        working_directory=Path.cwd(),
        umask=0o022,
        pidfile=locks.TimeoutPIDLockFile(str(daemon.pid_file), acquire_timeout=0),
        files_preserve=[alive],
        stdout=log,
        stderr=log,
        signal_map={},  # the clock has its own handlers
    )
    with context:
        try:
            run.main([str(daemon.clock_file)], standalone_mode=False, obj=lambda: os.write(alive, b"begun"))
        except ClockError as error:
            echo(f"clock: {error}", err=True)
            sys.exit(error.exit_code)
    sys.exit(0)


def _await_start(daemon: _Daemon, alive: int, before: int) -> None:
    """Wait until the clock has begun its work, or has ended. Raises ClockError with its last words."""
    told, _, _ = select.select([alive], [], [], START_SECONDS)
    if told and not os.read(alive, 1):
        words = _written(daemon.log_file, before).decode(errors="replace").strip().splitlines()
        raise ClockError(words[-1].removeprefix("clock: ") if words else f"it ended; see {daemon.log_file}")


def _written(log_file: Path, before: int) -> bytes:
    try:
        with log_file.open("rb") as log:
            log.seek(before)
            return log.read()
    except OSError:
        return b""


def _stop(daemon: _Daemon) -> bool:
    """Stop it and wait for its end; False: it did not run. Raises ClockError where it does not stop."""
    pid = daemon.pid
    if pid is None:
        return False
    clock, never = SystemClock(), threading.Event()
    os.kill(pid, signal.SIGTERM)
    deadline = clock.monotonic() + STOP_SECONDS
    while daemon.pid == pid or _command_line(pid):
        if clock.monotonic() > deadline:
            raise ClockError(f"pid {pid} has not stopped within {STOP_SECONDS:g} s; see {daemon.log_file}")
        clock.wait(never, LOOK_SECONDS)
    daemon.pid_file.unlink(missing_ok=True)
    echo(f"Stopped, pid {pid}")
    return True


def _command_line(pid: int) -> str:
    """What process `pid` runs; empty if there is none."""
    listing = subprocess.run(  # noqa: S603  # a fixed command
        ["ps", "-o", "args=", "-p", str(pid)],  # noqa: S607  # wherever the system has it
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if "<defunct>" in listing.stdout else listing.stdout.strip()
