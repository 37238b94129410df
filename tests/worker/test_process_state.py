"""Other processes, seen from outside."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

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


@pytest.fixture(params=["descriptor", "id only"])
def forked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The id of a child that waits for a signal, on a system with process descriptors and without them."""
    if request.param == "id only":
        monkeypatch.delattr(os, "pidfd_open")
    pid = os.fork()
    if pid == 0:
        while True:
            signal.pause()
    yield pid
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_is_seen_to_run_to_be_stopped_and_to_have_ended(forked: int) -> None:
    child = OtherProcess(forked)
    assert (child.is_stopped(), child.has_ended()) == (False, False)

    child.send(signal.SIGSTOP)
    eventually(child.is_stopped, "it is stopped")
    assert not child.has_ended()

    child.send(signal.SIGKILL)
    eventually(child.has_ended, "it has ended, although nobody has read its exit code")
    os.waitpid(forked, 0)
    assert child.has_ended()
    child.send(signal.SIGKILL)  # does nothing
    assert OtherProcess(forked).has_ended()


@pytest.mark.parametrize(
    ("status", "stopped", "ended"),
    [
        ("1 (a) b) R 1", False, False),
        ("1 (T) S 1", False, False),
        ("1 (a) T 1", True, False),
        ("1 (a) t 1", True, False),
        ("1 (a) Z 1", False, True),
        ("1 (a) X 1", False, True),
        (None, False, True),
    ],
)
def test_the_state_of_a_process_is_the_letter_after_its_name(
    monkeypatch: pytest.MonkeyPatch, status: str | None, stopped: bool, ended: bool
) -> None:
    def read(_: Path, **__: object) -> str:
        if status is None:
            raise FileNotFoundError
        return status

    monkeypatch.delattr(os, "pidfd_open")
    monkeypatch.setattr(Path, "read_text", read)
    process = OtherProcess(1)

    assert (process.is_stopped(), process.has_ended()) == (stopped, ended)


@pytest.mark.parametrize(
    ("answer", "stopped", "ended"), [("T+\n", True, False), ("Ss+\n", False, False), ("", False, True)]
)
def test_a_system_without_proc_is_asked_by_ps(
    monkeypatch: pytest.MonkeyPatch, answer: str, stopped: bool, ended: bool
) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **options: bool) -> subprocess.CompletedProcess[str]:
        assert options == {"capture_output": True, "text": True, "check": False}
        asked.append(command)
        return subprocess.CompletedProcess(command, 0 if answer else 1, answer, "")

    def none(_: Path, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.delattr(os, "pidfd_open")
    monkeypatch.setattr(Path, "read_text", none)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    monkeypatch.setattr(subprocess, "run", run)
    process = OtherProcess(47)

    assert (process.is_stopped(), process.has_ended()) == (stopped, ended)
    assert asked == [["ps", "-o", "state=", "-p", "47"]] * 2
