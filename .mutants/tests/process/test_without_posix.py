"""Windows lacks modules, functions and signals. An application there imports the package and pushes."""

from __future__ import annotations

import re

import pytest

from tests.process.conftest import App
from tests.servers import Servers, port_of

pytestmark = pytest.mark.process

#: What is not there on Windows is hidden, once the standard library and the client library have been imported.
WITHOUT_POSIX = """
import asyncio, concurrent.futures, os, redis, select, signal, ssl, subprocess, sys, tempfile

for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("fork", "geteuid", "getgid", "getuid", "register_at_fork", "setsid", "waitid", "WNOHANG"):
    vars(os).pop(name, None)
for name in [name for name in vars(signal) if name.startswith("SIG")]:
    if name not in ("SIGINT", "SIGTERM", "SIGABRT", "SIGFPE", "SIGILL", "SIGSEGV", "SIG_DFL", "SIG_IGN"):
        delattr(signal, name)
del signal.pthread_sigmask, select.poll
"""
PUSH = """
from clock import Job

class SendJob(Job):
    def perform(self, number): ...

SendJob.perform_async(1)
SendJob.perform_in(60, 2)
SendJob.perform_bulk([[3], [4]])
asyncio.run(SendJob.aperform_async(5))
"""
COMMAND = """
sys.argv = ["clock", *{words}]
from clock.cli import main
main()
"""


def test_an_application_pushes(app: App, servers: Servers) -> None:
    server = servers.start()
    app.environ["REDIS_URL"] = f"redis://127.0.0.1:{port_of(server)}/0"

    pushed = app.run("-c", WITHOUT_POSIX + PUSH)

    assert (pushed.returncode, pushed.stderr) == (0, "")
    assert (server.llen("queue:default"), server.zcard("schedule")) == (4, 1)


def test_without_a_url_the_error_says_that_one_is_needed(app: App) -> None:
    pushed = app.run("-c", WITHOUT_POSIX + PUSH)

    assert "set REDIS_URL (redis://host:6379); the embedded one does not run on Windows" in pushed.stderr


@pytest.mark.parametrize("words", [[], ["worker"], ["worker", "-p", "2"], ["daemon", "start"], ["dev"]])
def test_a_command_that_needs_posix_says_so_in_one_line(app: App, words: list[str]) -> None:
    ran = app.run("-c", WITHOUT_POSIX + COMMAND.format(words=words))

    assert ran.returncode == 1
    assert ran.stderr.startswith("Error: this command needs Linux, macOS or another POSIX system")
    assert ran.stderr.count("\n") == 1


def test_the_help_lists_all_commands(app: App) -> None:
    ran = app.run("-c", WITHOUT_POSIX + COMMAND.format(words=["--help"]))

    assert ran.returncode == 0, ran.stderr
    assert re.search("worker +Needs a POSIX system.", ran.stdout)
