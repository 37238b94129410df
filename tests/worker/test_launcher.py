"""The launcher of several worker processes: what it starts, replaces and stops, and what they report to it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from clock.errors import HookFailed
from clock.testing import FakeClock
from clock.worker.launcher import (
    CAPSULE_VARIABLE,
    PARENT_VARIABLE,
    PIPE_VARIABLE,
    SLOT_VARIABLE,
    Launcher,
    own_capsule,
    own_slot,
    parent_pid,
    reporting_to_launcher,
    start,
)
from tests.patience import PATIENCE_SECONDS

#: A process that handles signals only when it has been told to go on.
SLOW_TO_START = """
import signal, sys, threading
from clock.shutdown import handling
sys.stdin.readline()
called = threading.Event()
with handling({signal.Signals(int(sys.argv[1])): called.set}):
    sys.exit(0 if called.wait(60) else 1)
"""


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGTTIN])
def test_a_child_that_is_signalled_before_it_handles_signals_does_so_later(
    number: signal.Signals,
) -> None:
    reader, writer = os.pipe()
    stdin = os.dup(0)
    os.dup2(reader, 0)
    try:
        process, pipe = start([sys.executable, "-c", SLOW_TO_START, str(int(number))], {})
    finally:
        os.dup2(stdin, 0)
        os.close(stdin)
        os.close(reader)

    process.send_signal(number)
    os.write(writer, b"go on\n")

    try:
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        os.close(writer)
        process.kill()
        process.wait()
        os.close(pipe)


class FakeProcess:
    """In place of a process that the launcher starts. It writes into its pipe and ends when the test says."""

    def __init__(self, pid: int, env: Mapping[str, str], pass_fds: Sequence[int]) -> None:
        self.pid = pid
        self.environ = env
        self.code: int | None = None
        self.signals: list[signal.Signals] = []
        self._pipe = os.dup(pass_fds[0])

    def ends(self, code: int, words: bytes = b"") -> None:
        """The process ends. Its words: b for begun, n for not begun, s for stopped in order, r for renewed."""
        os.write(self._pipe, words)
        os.close(self._pipe)
        self.code = code

    def ends_before_its_child(self, code: int) -> None:
        """The process ends without a word. A process that it has forked holds the pipe."""
        self.code = code

    def poll(self) -> int | None:
        return self.code

    def send_signal(self, number: signal.Signals) -> None:
        self.signals.append(number)

    def kill(self) -> None:
        self.ends(-signal.SIGKILL)


class Steps(FakeClock):
    """A clock on which the launcher's waits take their time. With each one, the next step of the test follows."""

    def __init__(self) -> None:
        super().__init__(datetime(2026, 11, 24, 6, tzinfo=UTC))
        self.waits: list[float] = []
        self.steps: list[Callable[[], object]] = []

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        assert len(self.waits) < 100, "it never ends"
        self.advance(timedelta(seconds=seconds))
        if self.steps:
            self.steps.pop(0)()
        return stop.is_set()


class Launched:
    """A launcher whose processes are not real."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Steps()
        self.processes: list[FakeProcess] = []
        monkeypatch.setattr(subprocess, "Popen", self._start)

    def launcher(self, count: int = 1, capsules: Sequence[str] = ("default",)) -> Launcher:
        return Launcher(
            ["worker"],
            count,
            capsules=capsules,
            stop_timeout_seconds=25.0,
            clock=self.clock,
            environ={"CLOCK_LEVEL": "debug"},
        )

    def run(self, launcher: Launcher, *steps: Callable[[], object]) -> int:
        self.clock.steps = list(steps)
        return launcher.run()

    def all_end(self, code: int = 0, words: bytes = b"bs") -> None:
        for process in self.processes:
            if process.code is None:
                process.ends(code, words)

    def _start(self, _: Sequence[str], *, env: Mapping[str, str], pass_fds: Sequence[int]) -> FakeProcess:
        self.processes.append(FakeProcess(100 + len(self.processes), env, pass_fds))
        return self.processes[-1]


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Launched:
    return Launched(monkeypatch)


def nothing() -> None:
    """A step in which nothing happens."""


def test_each_capsule_gets_its_processes_and_each_process_a_slot(launched: Launched) -> None:
    code = launched.run(launched.launcher(2, ["default", "mail"]), launched.all_end)

    environs = [process.environ for process in launched.processes]
    assert code == 0
    assert [environ[CAPSULE_VARIABLE] for environ in environs] == ["default", "default", "mail", "mail"]
    assert [environ[SLOT_VARIABLE].partition(":")[2] for environ in environs] == ["0", "1", "0", "1"]
    assert {environ[PARENT_VARIABLE] for environ in environs} == {str(os.getpid())}
    assert {environ["CLOCK_LEVEL"] for environ in environs} == {"debug"}


def test_a_launcher_tells_its_processes_and_when_it_looked_at_them(launched: Launched) -> None:
    launcher, seen = launched.launcher(2), list[object]()

    launched.run(
        launcher, nothing, lambda: seen.extend([launcher.pids, launcher.seconds_since_look]), launched.all_end
    )

    assert seen == [[100, 101], 1.0]


def test_a_process_that_dies_is_replaced_by_one_of_its_capsule_and_slot(
    launched: Launched, caplog: pytest.LogCaptureFixture
) -> None:
    launched.run(
        launched.launcher(2, ["mail"]),
        *[nothing] * 10,
        lambda: launched.processes[1].ends(-9, b"b"),
        launched.all_end,
    )

    dead, new = launched.processes[1:]
    assert caplog.messages == ["Worker process 101 died (SIGKILL); starting another"]
    for name in (CAPSULE_VARIABLE, SLOT_VARIABLE):
        assert dead.environ[name] == new.environ[name]
    assert launched.clock.waits == [1.0] * 12


@pytest.mark.parametrize(("age", "is_young"), [(9, True), (10, False)])
def test_a_process_that_dies_young_is_replaced_after_a_pause(launched: Launched, age: int, is_young: bool) -> None:
    seen: list[int] = []
    launched.clock.advance(timedelta(seconds=1000))

    launched.run(
        launched.launcher(),
        *[nothing] * (age - 1),
        lambda: launched.processes[0].ends(1, b"b"),
        lambda: seen.append(len(launched.processes)),
        launched.all_end if not is_young else nothing,
        launched.all_end,
    )

    assert seen == [1 if is_young else 2]
    assert set(launched.clock.waits) == {1.0}
    assert len(launched.processes) == 2


@pytest.mark.parametrize("words", [b"", b"bn"])
@pytest.mark.parametrize("code", [0, 2])
def test_a_first_process_that_fails_before_it_works_stops_all(launched: Launched, code: int, words: bytes) -> None:
    found = launched.run(
        launched.launcher(2), lambda: launched.processes[0].ends(code, words), lambda: launched.all_end(0)
    )

    assert found == code
    assert launched.processes[1].signals == [signal.SIGTERM]
    assert len(launched.processes) == 2


@pytest.mark.parametrize(
    ("code", "words", "why"),
    [(0, b"b", "exit code 0"), (-9, b"", "SIGKILL"), (-1, b"", "SIGHUP"), (3, b"b", "exit code 3")],
)
def test_a_first_process_that_is_killed_or_has_worked_is_replaced(
    launched: Launched, caplog: pytest.LogCaptureFixture, code: int, words: bytes, why: str
) -> None:
    found = launched.run(
        launched.launcher(),
        lambda: launched.processes[0].ends(code, words),
        nothing,
        launched.all_end,
    )

    assert (found, len(launched.processes)) == (0, 2)
    assert caplog.messages == [f"Worker process 100 died ({why}); starting another"]


def test_a_pipe_that_a_child_of_a_dead_process_holds_does_not_hold_up_the_launcher(launched: Launched) -> None:
    launched.run(
        launched.launcher(),
        lambda: launched.processes[0].ends_before_its_child(-9),
        nothing,
        lambda: launched.processes[1].ends(0, b"bs"),
    )

    assert len(launched.processes) == 2


@pytest.mark.parametrize(("code", "words"), [(-9, b"b"), (0, b"br")])
def test_a_replacement_that_fails_before_it_works_is_replaced(launched: Launched, code: int, words: bytes) -> None:
    launched.run(
        launched.launcher(),
        lambda: launched.processes[0].ends(code, words),
        *[nothing] * (code < 0),
        lambda: launched.processes[1].ends(2),
        nothing,
        launched.all_end,
    )

    assert len(launched.processes) == 3


def test_a_process_that_reached_a_limit_is_replaced_at_once(
    launched: Launched, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "clock.worker")

    launched.run(launched.launcher(), lambda: launched.processes[0].ends(0, b"br"), launched.all_end)

    assert caplog.messages == ["Worker process 100 ended to be replaced; starting another"]
    assert len(launched.clock.waits) == 2
    assert launched.processes[0].environ[SLOT_VARIABLE] == launched.processes[1].environ[SLOT_VARIABLE]


def test_a_process_that_stopped_in_order_is_not_replaced(launched: Launched) -> None:
    code = launched.run(
        launched.launcher(2), lambda: launched.processes[0].ends(0, b"bs"), nothing, launched.all_end
    )

    assert (code, len(launched.processes)) == (0, 2)


@pytest.mark.parametrize(
    ("codes", "code"), [((0, 0), 0), ((3, 0), 3), ((0, 4), 4), ((3, 4), 3), ((-15, 0), 0), ((-15, 4), 4)]
)
def test_the_launcher_ends_with_the_first_exit_code_of_a_stopped_process(
    launched: Launched, codes: tuple[int, int], code: int
) -> None:
    launcher = launched.launcher(2)

    def end() -> None:
        launcher.stop()
        for process, each in zip(launched.processes, codes, strict=True):
            process.ends(each, b"b")

    assert launched.run(launcher, end) == code


@pytest.mark.parametrize(
    ("stop", "number", "seconds"),
    [(Launcher.stop, signal.SIGTERM, 29.25), (Launcher.stop_now, signal.SIGQUIT, 4.25)],
)
def test_a_process_that_does_not_stop_in_time_is_killed(
    launched: Launched,
    caplog: pytest.LogCaptureFixture,
    stop: Callable[[Launcher], None],
    number: signal.Signals,
    seconds: float,
) -> None:
    launcher = launched.launcher()

    code = launched.run(launcher, lambda: stop(launcher))

    assert code == 0
    assert launched.processes[0].signals == [number]
    assert caplog.messages == ["Worker process 100 did not stop; killing it"]
    assert launched.clock.monotonic() == pytest.approx(1 + seconds + 0.1)
    assert launched.clock.waits[-1] == 0.1


def test_a_second_stop_does_not_give_more_time(launched: Launched) -> None:
    launcher = launched.launcher()

    launched.run(launcher, launcher.stop_now, launcher.stop)

    assert launched.clock.monotonic() == pytest.approx(1 + 4.25 + 0.1)


def test_after_a_signal_to_be_quiet_no_process_is_replaced(launched: Launched) -> None:
    launcher = launched.launcher(2)

    launched.run(
        launcher,
        launcher.handlers()[signal.SIGTSTP],
        lambda: launched.processes[0].ends(-9, b"b"),
        nothing,
        launched.all_end,
    )

    assert len(launched.processes) == 2
    assert launched.processes[1].signals == [signal.SIGTSTP]


def test_a_signal_for_stacks_is_passed_on_and_the_end_of_a_child_is_noticed_at_once(launched: Launched) -> None:
    launcher = launched.launcher(2)
    handlers = launcher.handlers()

    launched.run(launcher, handlers[signal.SIGTTIN], handlers[signal.SIGCHLD], launched.all_end)

    assert [process.signals for process in launched.processes] == [[signal.SIGTTIN]] * 2
    assert set(handlers) == {signal.SIGTSTP, signal.SIGTTIN, signal.SIGCHLD}


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end of the launcher; the other one is this process's."""
    read, write = os.pipe()
    monkeypatch.setenv(PIPE_VARIABLE, str(write))
    yield read
    os.close(read)
    with suppress(OSError):
        os.close(write)


@pytest.mark.parametrize(("is_renewed", "words"), [(False, b"bs"), (True, b"br")])
def test_a_process_reports_that_it_works_and_how_it_ended(pipe: int, is_renewed: bool, words: bytes) -> None:
    own = int(os.environ[PIPE_VARIABLE])
    os.set_inheritable(own, True)

    with reporting_to_launcher(lambda: is_renewed):
        assert os.read(pipe, 10) == b"b"
        assert not os.get_inheritable(own), "processes that a job starts do not hold it"
        assert PIPE_VARIABLE not in os.environ

    assert b"b" + os.read(pipe, 10) == words


def test_a_process_whose_startup_hook_fails_reports_that_it_did_not_begin(pipe: int) -> None:
    with pytest.raises(HookFailed), reporting_to_launcher(lambda: False):
        raise HookFailed("startup", "warm_up", KeyError("model"))

    assert os.read(pipe, 10) == b"bn"


def test_a_process_that_crashes_reports_no_end(pipe: int) -> None:
    with pytest.raises(ZeroDivisionError), reporting_to_launcher(lambda: False):
        raise ZeroDivisionError

    assert os.read(pipe, 10) == b"b"


def test_a_process_without_a_launcher_reports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (PIPE_VARIABLE, PARENT_VARIABLE, CAPSULE_VARIABLE, SLOT_VARIABLE):
        monkeypatch.delenv(name, raising=False)

    with reporting_to_launcher(lambda: pytest.fail("there is no launcher")):
        pass

    assert (parent_pid(), own_capsule(), own_slot()) == (None, None, "")


def test_what_a_launcher_tells_its_process_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ((PARENT_VARIABLE, "47"), (CAPSULE_VARIABLE, "mail"), (SLOT_VARIABLE, "token:1")):
        monkeypatch.setenv(name, value)

    assert (parent_pid(), own_capsule(), own_slot()) == (47, "mail", "token:1")
    assert (parent_pid(), own_capsule(), own_slot()) == (None, None, "")
