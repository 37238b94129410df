"""No fault is silent: every clock, worker, push and command says what is wrong and what to do, or works."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from click.testing import CliRunner

from clock.cli.app import cli
from clock.errors import ClockError, StoreError
from clock.store.server.client import PROCESS_LIMITS
from clock.store.server.connection import connect, set_default
from clock.timetable import load
from tests.patience import eventually
from tests.silence import world as worlds
from tests.silence.faults import FAULTS, LINES, NOTHING, Fault, caused
from tests.silence.world import NoteSilenceJob, Server, World, done

SLOWEST_SECONDS = 30.0  # on a busy machine
COMMANDS = [
    ["list"],
    ["queue", "list"],
    ["queue", "list", "default"],
    ["retry", "list"],
    ["scheduled", "list"],
    ["dead", "list"],
    ["history", "note"],
    ["why", "note", "2026-11-24 06:00"],
    ["pause", "note"],
    ["resume", "note"],
    ["fire", "note"],
]

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.usefixtures("log_as_before")]

CLOCK_FILE = """
from clock import every, sync_events
from datetime import timedelta
from tests.silence.world import NobodysJob, NoteSilenceJob

def load():
    if load.fail:
        raise OSError("the database is away")
    return []

load.fail = False
every().second.do(NoteSilenceJob).named("note")
sync_events(load, every=timedelta(seconds=1), do=NobodysJob)
"""


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    """Shorter waits between tries, so that a fault is over soon after its end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clock.problems.CALM_SECONDS", 0.3)
        patch.setattr("clock.problems.WATCH_SECONDS", 0.2)
        patch.setattr("clock.problems.START_SECONDS", 0.0)
        patch.setattr("clock.worker.worker.WATCH_SECONDS", 0.2)
        patch.setattr("clock.ticker.ticker.RETRY_SECONDS", (0.2, 0.4))
        patch.setattr("clock.worker.fetching.fetcher.RETRY_SECONDS", (0.2, 0.4))
        patch.setattr("clock.ticker.heartbeat.BEAT_SECONDS", 0.5)
        patch.setattr("clock.problems.ENTRY_SECONDS", 1.0)
        patch.setattr("clock.worker.maintenance.duties.ENTRY_SECONDS", 0.5)
        patch.setattr("clock.inspection.processes.LATE_SECONDS", 3.0)
        patch.setattr("clock.store.server.checks.permissions.LOOK_SECONDS", 0.3)
        yield


@pytest.fixture(scope="module")
def world(quick: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("silence")
    clock_file = folder / "lib" / "clock.py"
    clock_file.parent.mkdir()
    clock_file.write_text(CLOCK_FILE)
    server = Server(folder)
    found = World(server, load(clock_file))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("REDIS_URL", server.url)
        patch.setattr("clock.cli.options.configure_logging", lambda *_, **__: None)  # the log is this test's
        patch.setattr(
            "clock.store.server.connection.PROCESS_LIMITS", replace(PROCESS_LIMITS, connect=1.0, answer=1.0)
        )
        set_default(connect(server.url, max_connections=2, push_seconds=1.0))
        yield found
        set_default(None)
    found.stop()
    server.stop()


@pytest.fixture(scope="module")
def lines(world: World) -> Iterator[list[str]]:
    """The ERROR lines of all roles."""
    found: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]  # a list is enough
    logging.getLogger("clock").addHandler(handler)
    yield found
    logging.getLogger("clock").removeHandler(handler)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_no_fault_is_silent(world: World, fault: Fault, lines: list[str]) -> None:
    eventually(world.is_well, world.told)
    named = {"leader": world.leader, "standby": world.standby, "worker": world.worker}
    begun = time.monotonic()
    lines.clear()
    done.clear()

    with caused(fault, world):
        for name in fault.who:
            eventually(lambda: re.search(fault.says, causes(named[name])), lambda: (name, world.told()))  # noqa: B023
            assert fault.cure in named[name].says
            assert LINES.get(fault.says, "") in named[name].says
        for name in named.keys() - fault.who:
            role = named[name]
            eventually(lambda: role.says or world.works(role), lambda: (name, world.told()))  # noqa: B023
        no_command_is_silent(fault)
        if fault.cure:
            eventually(lambda: any(fault.cure in line for line in lines), lambda: lines)

    seconds = time.monotonic() - begun
    assert len(lines) <= 4 * len(named) + seconds, lines
    eventually(world.is_well, world.told)


def no_command_is_silent(fault: Fault) -> None:
    """Each command works, or prints what is wrong on one line and exits 1; `status` and `doctor` report it."""
    for words in COMMANDS[:2] if fault.says == "no_answer" else COMMANDS:  # each takes its limit
        ended = run(*words)
        assert not ended.is_silent(fault), (words, ended)
    for command in ("status", "doctor") if fault.status != NOTHING else ():
        eventually(lambda: run(command).reports(fault), lambda: (command, run(command)))  # noqa: B023
    assert not push().is_silent(fault)


@dataclass
class Ended:
    """What a command has come to."""

    code: int
    text: str
    cause: str
    seconds: float

    def is_silent(self, fault: Fault) -> bool:
        """Whether it failed without the reason, or took too long."""
        failed_well = self.code == 1 and reports(self.text, self.cause, fault)
        return self.seconds > SLOWEST_SECONDS or not (self.code == 0 or failed_well)

    def reports(self, fault: Fault) -> bool:
        return self.code == 1 and (fault.status or fault.cure) in self.text


def reports(text: str, cause: str, fault: Fault) -> bool:
    """Whether an error names the fault; one of `status` or `doctor` has no cause of its own."""
    words = (fault.status, fault.cure, fault.says)
    return "Traceback" not in text and any(word and re.search(word, f"{cause} {text}") for word in words)


def push() -> Ended:
    started = time.monotonic()
    try:
        NoteSilenceJob.perform_async()
    except StoreError as error:
        return Ended(1, str(error), error.cause, time.monotonic() - started)
    return Ended(0, "", "", time.monotonic() - started)


@contextmanager
def warned() -> Iterator[list[str]]:
    """The warnings of the command that runs in the block."""
    found: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]  # a list is enough
    logging.getLogger("clock.cli").addHandler(handler)
    yield found
    logging.getLogger("clock.cli").removeHandler(handler)


def run(*words: str) -> Ended:
    started = time.monotonic()
    with warned() as warnings:
        result = CliRunner().invoke(cli, words)
    seconds = time.monotonic() - started
    error = result.exception
    if isinstance(error, ClockError):
        cause = error.cause if isinstance(error, StoreError) else ""
        return Ended(error.exit_code, "\n".join((*warnings, str(error))), cause, seconds)
    assert error is None or isinstance(error, SystemExit), result.exc_info
    return Ended(result.exit_code, result.output, "", seconds)


def causes(role: worlds.Role) -> str:
    return " ".join(f"{problem.cause} {problem.text}" for problem, _ in role.process._problems.lasting)
