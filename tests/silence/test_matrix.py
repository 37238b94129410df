"""No fault is silent: every clock, worker, push and command says what is wrong and what to do, or works."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest

from clock.timetable import load
from tests.silence import world as worlds
from tests.silence.faults import FAULTS, Fault, caused
from tests.silence.world import Server, World, done, eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]

CLOCK_FILE = """
from clock import every, sync_events
from datetime import timedelta
from tests.silence.world import NobodysJob, NoteJob

def load():
    if load.fail:
        raise OSError("the database is away")
    return []

load.fail = False
every().second.do(NoteJob).named("note")
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
        patch.setattr("clock.worker.fetcher.RETRY_SECONDS", (0.2, 0.4))
        patch.setattr("clock.ticker.pulse.BEAT_SECONDS", 0.5)
        patch.setattr("clock.worker.seldom.EVERY_SECONDS", 1.0)
        yield


@pytest.fixture(scope="module")
def world(quick: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("silence")
    clock_file = folder / "lib" / "clock.py"
    clock_file.parent.mkdir()
    clock_file.write_text(CLOCK_FILE)
    server = Server(folder)
    found = World(server, load(clock_file))
    yield found
    found.stop()
    server.stop()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_no_fault_is_silent(world: World, fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    eventually(world.is_well, world.told)
    named = {"leader": world.leader, "standby": world.standby, "worker": world.worker}
    caplog.clear()
    done.clear()

    with caused(fault, world):
        for name in fault.who:
            eventually(lambda: re.search(fault.says, causes(named[name])), lambda: (name, world.told()))  # noqa: B023
            assert fault.cure in named[name].says
        for name in named.keys() - fault.who:
            role = named[name]
            eventually(lambda: role.says or world.works(role), lambda: (name, world.told()))  # noqa: B023
        if fault.cure:
            eventually(lambda: fault.cure in caplog.text, lambda: caplog.text)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]

    assert len(lines) <= 4 * len(named), lines
    eventually(world.is_well, world.told)


def causes(role: worlds.Role) -> str:
    return " ".join(f"{problem.cause} {problem.text}" for problem, _ in role.process._problems.lasting)
