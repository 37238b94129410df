"""`clock dev`: which commands it runs. Real processes are started in tests/process."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import Result

from clock.cli.commands.monitoring.web import PORT
from clock.cli.commands.running import dev

Clock = Callable[..., Result]
Commands = Mapping[str, Sequence[str]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Commands]:
    """The commands that `clock dev` would have run."""
    found: list[Commands] = []

    def run(commands: Commands) -> int:
        found.append(commands)
        return 0

    monkeypatch.setattr(dev, "_run_processes", run)
    return found


@pytest.fixture
def taken_port() -> Iterator[None]:
    """The default port of the dashboard is in use."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if other.connect_ex(("127.0.0.1", PORT)):
            other = socket.create_server(("127.0.0.1", PORT))
        yield
        other.close()


def test_without_a_folder_of_jobs_no_worker_is_started_and_the_next_step_is_named(
    clock: Clock, started: list[Commands]
) -> None:
    shown = clock("dev", "lib/clock.py")

    assert started[0].keys() == {"clock", "web"}
    assert "no jobs folder: running only the clock. To create one: clock new job SendReceipts" in shown.output


def test_without_the_packages_of_the_dashboard_clock_and_worker_are_started(
    clock: Clock, application: Path, started: list[Commands], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "missing_packages", lambda: ["uvicorn"])
    (application / "jobs").mkdir()

    clock("dev", "-r", "jobs")

    assert started == [{"clock": ["run", "--reload"], "worker": ["worker", "--reload", "-r", "jobs"]}]


@pytest.mark.usefixtures("taken_port")
def test_the_dashboard_gets_a_free_port_if_its_own_is_in_use(clock: Clock, started: list[Commands]) -> None:
    clock("dev")

    web = started[0]["web"]
    assert int(web[web.index("--port") + 1]) not in (0, PORT)
