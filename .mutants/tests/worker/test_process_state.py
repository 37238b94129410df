"""Other processes, seen from outside."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from clock.worker.heartbeat import process_state
from clock.worker.heartbeat.process_state import OtherProcess
from tests.patience import eventually


@pytest.fixture(params=["descriptor", "id only", "ps"])
def process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A process, on a system with process descriptors, without them, and without /proc."""
    if request.param != "descriptor":
        monkeypatch.delattr(os, "pidfd_open")
    if request.param == "ps":
        monkeypatch.setattr(process_state, "_state", process_state._state_by_ps)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as found:
        yield found
        found.kill()


@pytest.mark.process
def test_a_process_is_seen_to_be_stopped_and_to_go_on(process: subprocess.Popen[bytes]) -> None:
    other = OtherProcess(process.pid)
    assert not other.is_stopped()

    other.send(signal.SIGSTOP)
    eventually(other.is_stopped, "it is stopped")
    assert not other.has_ended()

    other.send(signal.SIGCONT)
    eventually(lambda: not other.is_stopped(), "it goes on")


@pytest.mark.process
def test_a_process_has_ended_though_nobody_has_read_its_exit_code(process: subprocess.Popen[bytes]) -> None:
    other = OtherProcess(process.pid)
    assert not other.has_ended()

    other.send(signal.SIGKILL)

    eventually(other.has_ended, "it has ended")
    process.wait()
    assert other.has_ended()
    other.send(signal.SIGKILL)  # does nothing
    assert OtherProcess(process.pid).has_ended()
