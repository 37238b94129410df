"""`clock dev`: clock and worker together on one terminal."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

import click

from clock.cli import program
from clock.cli.commands.monitoring.web import HOST, PORT, missing_packages
from clock.cli.options import GivenPath, setting_option, settings
from clock.cli.output import Styled, echo, echo_as_is
from clock.cli.stopping import Stopping
from clock.clocks import SystemClock
from clock.shutdown import handling

_printing = threading.Lock()
LAST_OUTPUT_SECONDS = 1.0  # a process that a job left running may keep the output open
_COLOURS = {"clock": "cyan", "worker": "green", "web": "magenta"}


@click.command()
@click.argument("clock_file", required=False, type=GivenPath())
@setting_option("require")
def dev(clock_file: Path | None, require: tuple[Path, ...]) -> None:
    """Run the clock and a worker together until Ctrl-C.

    Each output line is prefixed with its process. Clock and worker restart when a Python or YAML file changes. If
    one process exits, `dev` stops the others. After an edit that breaks a process, `dev` waits for the next edit.
    If the extra `web` is installed, the dashboard runs, too, and allows changes.

    \b
    Example: python -m clock dev lib/clock.py -r jobs
    """
    file = [str(clock_file)] if clock_file else []
    commands: dict[str, Sequence[str]] = {
        "clock": ["run", "--reload", *file],
        "worker": ["worker", "--reload", *(word for path in require for word in ("-r", str(path)))],
    }
    if not require and not any(path.exists() for path in settings(None).require):
        del commands["worker"]
        echo("clock: no jobs folder: running only the clock. To create one: clock new job SendReceipts")
    listener = None if missing_packages() else _listening()
    if listener:
        commands["web"] = ["web", "--reload", "--allow-write", "--fd", str(listener.fileno()), *file]
    with listener or nullcontext():
        sys.exit(_run_processes(commands, listener))


def _listening() -> socket.socket:
    """A socket for the dashboard, on its default port, or on any free port if another program listens there.

    This process keeps it open: the port stays the same after edits, and no other program can get it.
    """
    with suppress(OSError):
        return socket.create_server((HOST, PORT))
    return socket.create_server((HOST, 0))


def _run_processes(commands: Mapping[str, Sequence[str]], listener: socket.socket | None) -> int:
    """Run the commands until one ends, or a signal. The dashboard inherits `listener`. Returns the exit code."""
    stop = threading.Event()
    processes: dict[str, subprocess.Popen[str]] = {}

    def send(number: signal.Signals) -> None:
        for process in processes.values():
            process.send_signal(number)

    def stop_now() -> None:
        stop.set()
        send(signal.SIGQUIT)

    stopping = Stopping(stop.set, stop_now, clock=SystemClock())
    with handling(stopping.handlers()):
        for label, arguments in commands.items():
            processes[label] = _start(arguments, listener if label == "web" else None)
        copiers = [_copy_output(label, process, stop) for label, process in processes.items()]
        stop.wait()
        failed = [label for label, process in processes.items() if process.poll()]
        send(signal.SIGTERM)
        for process, copier in zip(processes.values(), copiers, strict=True):
            process.wait()
            copier.join(LAST_OUTPUT_SECONDS)
    for label in failed:
        echo(f"clock: the {label} exited with code {processes[label].returncode}", err=True)
    return 1 if failed else 0


def _start(arguments: Sequence[str], inherited: socket.socket | None) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603  # our own command line, no shell
        program.command(arguments, unbuffered=True),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=[inherited.fileno()] if inherited else [],
        start_new_session=True,  # only this process receives the terminal's Ctrl-C; it stops the others in order
    )


def _copy_output(label: str, process: subprocess.Popen[str], ended: threading.Event) -> threading.Thread:
    """Copy the process's lines on a thread, and set `ended` when it has an exit code."""

    def copy() -> None:
        for line in process.stdout or ():
            with _printing:  # the lines of two processes do not mix
                echo(Styled(f"{label:6} |", fg=_COLOURS[label]), " ", nl=False)
                echo_as_is(line)
        process.wait()  # its output ends a moment before the process
        ended.set()

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    return thread
