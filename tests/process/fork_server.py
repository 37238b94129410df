"""Starts a program in a moment, `python -m clock` or a script: forks a Python that has imported what it uses.

Imports take most of a start, and the tests start some thousand processes. The start itself is tested by
`App.start_program` and `App.run`, which start a new interpreter, and by `make thorough`, where each start is one.

    python -u fork_server.py SOCKET PROGRAM MODULE...

The server answers on the socket with this file descriptor. PROGRAM is `clock`, or a script in the application's
folder.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

_MOST_BYTES = 1 << 20
CLOCK = "clock"
#: What most processes of clock import. No process has run anything of it yet.
MODULES = (
    *("cronsim", "decimal", "difflib", "sqlite3", "yaml", "zoneinfo"),
    *("clock.cli.app", "clock.cli.commands.running.run", "clock.cli.commands.running.worker"),
)


class ForkServer:
    """A server of forked processes of one program, and how to reach it. It imports `modules` at its start."""

    def __init__(self, program: str = CLOCK, modules: tuple[str, ...] = MODULES) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-u", __file__, str(theirs.fileno()), program, *modules]
        self._server = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        self._program = ("-m", "clock") if program == CLOCK else (program,)
        theirs.close()

    def is_as(self, environ: Mapping[str, str]) -> bool:
        """Whether an interpreter with this environment would start as the server has."""
        return _of_interpreter(environ) == _of_interpreter(os.environ)

    def start(
        self, words: tuple[str, ...], folder: Path, environ: Mapping[str, str], outputs: list[int]
    ) -> ForkedProcess:
        """Start the program with these words and these files as stdout and stderr."""
        os.umask(umask := os.umask(0))
        request = {
            "program": self._program,
            "words": words,
            "folder": str(folder),
            "environ": dict(environ),
            "umask": umask,
        }
        socket.send_fds(self._socket, [json.dumps(request).encode()], outputs)
        return ForkedProcess(self, (*self._program, *words), int(self._socket.recv(100)))

    def exit_code(self, pid: int) -> int:
        """The exit code of a process that has ended; minus the signal that has killed it."""
        self._socket.send(json.dumps({"ended": pid}).encode())
        return int(self._socket.recv(100))

    def end(self) -> None:
        """End the server; what it has started goes on."""
        self._socket.close()
        self._server.wait()


class ForkedProcess:
    """A process of the fork server, used as one of `subprocess.Popen`."""

    def __init__(self, server: ForkServer, words: tuple[str, ...], pid: int) -> None:
        self.args, self.pid = words, pid
        self.stdout: IO[str] | None = None
        self.returncode: int | None = None
        self._server = server
        self._ended = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """The exit code; None: it runs."""
        return self._wait(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, so many seconds at most. Raises subprocess.TimeoutExpired."""
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to stop."""
        self.send_signal(signal.SIGTERM)

    def _wait(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._ended], [], [], seconds)[0]:
            os.close(self._ended)
            self.returncode = self._server.exit_code(self.pid)
        return self.returncode


def _of_interpreter(environ: Mapping[str, str]) -> dict[str, str]:
    names = [name for name in environ if name.startswith(("PYTHON", "LANG", "LC_"))]
    return {name: environ[name] for name in names if name != "PYTHONDONTWRITEBYTECODE"}


def serve(descriptor: int) -> None:
    """Start processes until the tests close the socket. Returns in each new process, which runs the program."""
    tests = socket.socket(fileno=descriptor)
    while True:
        text, outputs, *_ = socket.recv_fds(tests, _MOST_BYTES, 2)
        if not text:
            sys.exit()
        request = json.loads(text)
        if "ended" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["ended"], 0)[1])
        elif not (answer := os.fork()):
            tests.close()
            return become(request, outputs)
        for output in outputs:
            os.close(output)
        tests.send(str(answer).encode())


def become(request: dict[str, Any], outputs: list[int]) -> None:
    """Make this process as a new interpreter would be."""
    for output, standard, name in zip(outputs, (1, 2), ("stdout", "stderr"), strict=True):
        os.dup2(output, standard)
        os.close(output)
        stream = io.TextIOWrapper(io.FileIO(standard, "w", closefd=False), write_through=True)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.umask(request["umask"])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.path[0] = request["folder"]
    sys.argv[:] = [request["program"][0], *request["words"]]
    sys.orig_argv[:] = [sys.executable, "-u", *request["program"], *request["words"]]


def main(descriptor: str, program: str, *modules: str) -> None:
    """Import the modules, start processes, and run the program in each."""
    for name in modules:
        importlib.import_module(name)
    serve(int(descriptor))
    if program == CLOCK:
        runpy.run_module("clock", run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
