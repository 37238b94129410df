"""`clock dev`: which commands it runs. Real processes are started in tests/process."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import Result

from clock.cli.commands.monitoring.web import PORT
from clock.cli.commands.running import dev

Clock = Callable[..., Result]
Commands = Mapping[str, Sequence[str]]


class Started:
    """The commands that `clock dev` would have run, and the port of the socket that its dashboard inherits."""

    def __init__(self) -> None:
        self.commands: list[Commands] = []
        self.ports: list[int] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def run(self, commands: Commands, listener: socket.socket | None) -> int:
        self.commands.append(commands)
        if listener:
            self.ports.append(listener.getsockname()[1])
            assert str(listener.fileno()) in commands["web"]
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return 0


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    found = Started()
    monkeypatch.setattr(dev, "_run_processes", found.run)
    return found


@pytest.fixture
def taken_port() -> Iterator[None]:
    """The default port of the dashboard is in use."""
    with suppress(OSError), socket.create_server(("127.0.0.1", PORT)):
        yield
        return
    yield  # another program of this machine uses it


def test_without_a_folder_of_jobs_no_worker_is_started_and_the_next_step_is_named(
    clock: Clock, started: Started
) -> None:
    shown = clock("dev", "lib/clock.py")

    assert started.commands[0].keys() == {"clock", "web"}
    assert "no jobs folder: running only the clock. To create one: clock new job SendReceipts" in shown.output


def test_without_the_packages_of_the_dashboard_clock_and_worker_are_started(
    clock: Clock, application: Path, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "missing_packages", lambda: ["uvicorn"])
    (application / "jobs").mkdir()

    clock("dev", "-r", "jobs")

    assert started.commands == [{"clock": ["run", "--reload"], "worker": ["worker", "--reload", "-r", "jobs"]}]


@pytest.mark.usefixtures("taken_port")
def test_the_dashboard_gets_a_free_port_if_its_own_is_in_use(clock: Clock, started: Started) -> None:
    clock("dev")

    assert started.ports[0] not in (0, PORT)


def test_two_that_start_at_once_get_different_ports(clock: Clock, started: Started) -> None:
    started.meanwhile = lambda: clock("dev")

    clock("dev")

    first, second = started.ports
    assert first != second
