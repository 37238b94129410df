"""systemd's messages, from real processes to a socket that stands for systemd's."""

import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.process.conftest import App

pytestmark = [pytest.mark.process, pytest.mark.slow]

LIMIT_MICROSECONDS = "3000000"
COMMANDS = {
    "clock": ["run", "lib/clock.py"],
    "worker": ["worker", "-r", "jobs"],
    "workers": ["worker", "-r", "jobs", "--processes", "2"],
}


def receive(listener: socket.socket, wanted: str) -> list[str]:
    """The messages up to the first with `wanted`."""
    found = [listener.recv(1_000).decode()]
    while wanted not in found[-1]:
        found.append(listener.recv(1_000).decode())
    return found


def test_each_process_reports_that_it_is_ready_alive_and_stopping(app: App, tmp_path: Path) -> None:
    app.write("lib/clock.py", "from clock import every\n\nevery().hour.do(print, 'tick')\n")
    app.write("jobs/__init__.py", "")
    with ExitStack() as open_sockets:
        listeners, processes = {}, {}
        for name, words in COMMANDS.items():
            listener = open_sockets.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            listener.bind(str(tmp_path / name))
            listener.settimeout(90)
            app.environ |= {"NOTIFY_SOCKET": str(tmp_path / name), "WATCHDOG_USEC": LIMIT_MICROSECONDS}
            listeners[name], processes[name] = listener, app.start(*words)

        for listener in listeners.values():
            assert receive(listener, "READY=1") == ["READY=1"]
            assert receive(listener, "WATCHDOG=1")[-1].startswith("STATUS=")
        for process in processes.values():
            process.send(signal.SIGTERM)

        for name, listener in listeners.items():
            told = receive(listener, "STOPPING=1")
            assert "READY=1" not in told, "only the process that systemd started reports"
            assert processes[name].popen.wait(90) == 0, processes[name].output
