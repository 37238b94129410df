import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from clock.store.server.embedded import embedded
from tests.patience import PATIENCE_SECONDS, eventually
from tests.process.fork_server import ForkedProcess, ForkServer

Completed = subprocess.CompletedProcess[str]


class Running:
    """A process of the application, and what it has written so far."""

    def __init__(self, popen: subprocess.Popen[str] | ForkedProcess) -> None:
        self.popen = popen
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        return "".join(self._lines)

    @property
    def has_ended(self) -> bool:
        """Whether its output has ended."""
        return not self._reader.is_alive()

    def wait_for(self, text: str) -> None:
        """Wait until it has written `text`; fails at once where its output has ended without."""
        eventually(lambda: text in self.output or self.has_ended, lambda: f"{text!r} in:\n{self.output}")
        assert text in self.output, self.output

    def send(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        self.popen.send_signal(number)
        code = self.popen.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return code

    def finished_output(self) -> str:
        """All that it has written; it must have ended."""
        self._reader.join(PATIENCE_SECONDS)
        return self.output

    def _read(self) -> None:
        assert self.popen.stdout is not None
        with self.popen.stdout as lines:
            self._lines.extend(iter(lines.readline, ""))


class App:
    """A folder with an application, and its processes: new interpreters, or those of a fork server."""

    def __init__(self, folder: Path, environ: dict[str, str], fork_server: ForkServer | None = None) -> None:
        self.folder = folder
        self.environ = environ
        self.fork_server = fork_server
        self.processes: list[Running] = []

    def start(self, *words: str) -> Running:
        """Start `python -m clock` with these words."""
        if self.fork_server is None or not self.fork_server.is_as(self.environ):
            return self.start_program(sys.executable, "-u", "-m", "clock", *words)
        ours, theirs = os.pipe()
        process = self.fork_server.start(words, self.folder, self.environ, [theirs, theirs])
        os.close(theirs)
        process.stdout = os.fdopen(ours)  # its reader closes it
        self.processes.append(Running(process))
        return self.processes[-1]

    def start_program(self, *words: str) -> Running:
        """Start any program in the application's folder."""
        popen = subprocess.Popen(
            words,
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(Running(popen))
        return self.processes[-1]

    def run(self, *words: str) -> Completed:
        """Run `python` with these words to its end."""
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env=self.environ,
            text=True,
            capture_output=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )

    def clock(self, *words: str) -> Completed:
        """Run `python -m clock` with these words to its end."""
        if self.fork_server is None or not self.fork_server.is_as(self.environ):
            return self.run("-m", "clock", *words)
        return self.run_forked(self.fork_server, *words)

    def run_forked(self, server: ForkServer, *words: str) -> Completed:
        """Run the program of a fork server with these words to its end."""
        with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
            process = server.start(words, self.folder, self.environ, [stdout.fileno(), stderr.fileno()])
            try:
                code = process.wait(PATIENCE_SECONDS)
            finally:
                process.kill()
            stdout.seek(0)
            stderr.seek(0)
            return subprocess.CompletedProcess(process.args, code, stdout.read(), stderr.read())

    def living(self) -> list[str]:
        """The processes that live in the application's folder: number and command line."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if (folder / "cwd").readlink().is_relative_to(self.folder):
                    found.append(f"{folder.name} {(folder / 'cmdline').read_text()}")
            except OSError:
                pass  # it has ended, or is a zombie
        return found

    def kill_all(self) -> None:
        """Kill what still runs."""
        for process in self.processes:
            if process.popen.poll() is None:
                process.popen.kill()
                process.popen.wait()

    def show_outputs(self) -> None:
        """Write what the processes have written to stdout, which pytest shows if the test failed."""
        for process in self.processes:
            sys.stdout.write(f"{process.popen.args!r} ended with {process.popen.returncode}:\n{process.output}\n")

    def redis(self) -> Redis:
        """A connection to the application's own Redis."""
        url = self.environ.get("REDIS_URL") or embedded.start_or_join(self.folder)
        return Redis.from_url(url)

    def write(self, name: str, text: str) -> None:
        """Write a file; whoever reads it meanwhile finds it as it was, or whole."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_name(f"{path.name}.new")
        staged.write_text(text)
        staged.replace(path)


@pytest.fixture
def app(tmp_path: Path, fork_server: ForkServer | None) -> Iterator[App]:
    """An empty application on an embedded Valkey of its own."""
    environ = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "SMTP_URL")}
    found = App(tmp_path, {**environ, "PYTHONDONTWRITEBYTECODE": "1"}, fork_server)
    yield found
    found.kill_all()
    found.show_outputs()


@pytest.fixture
def sample(app: App, repository: Path) -> App:
    """The sample application, with its data loaded."""
    for name in ("lib", "jobs", "db", "config"):
        shutil.copytree(repository / name, app.folder / name, ignore=shutil.ignore_patterns("*.sqlite3*"))
    loaded = app.run("-m", "db.load")
    assert loaded.returncode == 0, loaded.stderr
    return app
