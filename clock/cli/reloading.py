"""`--reload`: runs the same command in a child process, and restarts it when a Python or YAML file changes.

The clock keeps its anchors, as in any restart: they are in Redis.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import click

from clock.cli import program
from clock.cli.output import echo
from clock.cli.stopping import Stopping
from clock.clocks import SystemClock
from clock.config import load_config
from clock.shutdown import handling
from clock.store.server.embedded import embedded

LOOK_SECONDS = 0.5  # seconds between two checks of the files
_WATCHED = (".py", ".yml", ".yaml")
_PASSED_ON = (signal.SIGUSR1, signal.SIGTSTP, signal.SIGTTIN)
_NOT_WATCHED = ("__pycache__", "node_modules", "site-packages")


reload_option = click.option(
    "--reload",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, _option, wanted: wanted and ctx.exit(run_reloading(sys.argv[1:])),
    help="Restart when a Python or YAML file changes.",
)


def run_reloading(arguments: list[str]) -> int:
    """Run `python -m clock` with `arguments`, again after each edit, until it is stopped. Returns the exit code.

    After an edit that breaks the command, wait for the next edit. A command that fails at the start ends at once.
    """
    command = program.command([word for word in arguments if word != "--reload"], unbuffered=True)
    stopped = threading.Event()
    # The embedded server runs on, if the command uses it: otherwise it would stop and start with the process.
    if load_config({}).redis is None and "--redis" not in arguments and embedded.is_installed():
        embedded.start_or_join(Path.cwd(), clock=SystemClock())
    process: subprocess.Popen[bytes] | None = None

    def pass_on(number: signal.Signals) -> None:
        if process:
            process.send_signal(number)

    def stop_now() -> None:
        stopped.set()
        pass_on(signal.SIGQUIT)

    stopping = Stopping(stopped.set, stop_now, clock=SystemClock())
    with handling({**stopping.handlers(), **{number: partial(pass_on, number) for number in _PASSED_ON}}):
        process, files, edits, is_broken = _start(command), _files(Path.cwd()), 0, False
        while not SystemClock().wait(stopped, LOOK_SECONDS):
            seen, files = files, _files(Path.cwd())
            if seen != files:
                edited = sorted({path for path, _ in seen ^ files})
                echo(f"clock: {', '.join(edited[:3])} changed, restarting")
                _end(process)
                process, edits, is_broken = _start(command), edits + 1, False
            elif process.poll() is not None and not is_broken:
                if not (process.returncode and edits):
                    break
                is_broken = True
                echo("clock: waiting for an edit")
        return _end(process)


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    # It inherits the descriptors that this process was started to inherit, such as the socket of `clock dev`.
    return subprocess.Popen(command, start_new_session=True, close_fds=False)  # noqa: S603  # our own command


def _end(process: subprocess.Popen[bytes]) -> int:
    if process.poll() is None:
        process.terminate()
    return process.wait()


def _files(root: Path) -> set[tuple[str, int]]:
    """The Python and YAML files under `root` with their modification times, without hidden folders."""
    found = set()
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _NOT_WATCHED]
        for name in names:
            if name.endswith(_WATCHED):
                path = Path(folder, name)
                found.add((str(path.relative_to(root)), _written(path)))
    return found


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0  # deleted at this moment
