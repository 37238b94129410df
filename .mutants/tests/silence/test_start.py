"""A process that starts under a fault which waiting cannot cure ends with one line and exit code 1."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.patience import PATIENCE_SECONDS
from tests.silence.world import APP, Server

pytestmark = [pytest.mark.process, pytest.mark.slow]

STARTED = (["run"], ["worker", "-r", "jobs"], ["worker", "-r", "jobs", "--with-clock", "lib/clock.py"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "lib/clock.py": "from clock import every\nevery().second.do(print).named('often')\n",
        "jobs/__init__.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path)
    yield found
    found.stop()


def ends(folder: Path, url: str) -> list[str]:
    """What each process prints that is started there, without its log; all of them must exit 1."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "clock", *words, "--redis", url],
            cwd=folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for words in STARTED
    ]
    watchdog = threading.Timer(PATIENCE_SECONDS, _kill, [processes])
    watchdog.start()
    ended = [process.communicate() for process in processes]
    watchdog.cancel()
    printed = []
    for words, process, (log, errors) in zip(STARTED, processes, ended, strict=True):
        assert process.returncode == 1, f"{words}:\n{log}{errors}"
        assert "Traceback" not in log + errors
        assert " ERROR " not in log, log
        printed.append(errors)
    return printed


def _kill(processes: Sequence[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.kill()


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (["resetkeys"], "Allow it: docs/deploying.md lists the permissions"),
        (["-evalsha"], "Allow it: docs/deploying.md lists the permissions"),
        (["resetpass", ">other"], "Redis refuses this user or password"),
    ],
)
def test_a_refusal_that_is_there_at_the_start_ends_the_process(
    folder: Path, server: Server, rules: list[str], says: str
) -> None:
    server.admin.execute_command("ACL", "SETUSER", "app", "reset", *APP[1:], *rules)  # type: ignore[no-untyped-call]  # untyped there

    for printed in ends(folder, server.url):
        [line] = printed.splitlines()
        assert line.startswith("clock: ")
        assert says in line


def test_a_redis_cluster_ends_the_process(folder: Path) -> None:
    server = Server(folder, "--cluster-enabled", "yes")

    for printed in ends(folder, server.url):
        [line] = printed.splitlines()
        assert "set CLOCK_NAMESPACE" in line
    server.stop()
