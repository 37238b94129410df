"""`clock rehearse-stop`: a deploy stops the worker of a running job, and a new worker follows."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import click

from clock.cli.commands.trials.scratch import Child, Scratch, scratch
from clock.cli.options import Number, answering, config_option
from clock.cli.output import echo, echo_json, json_option
from clock.clocks import SystemClock
from clock.config import load_config
from clock.errors import ConfigurationError
from clock.import_path import add_application
from clock.inspection.jobs.busy import all_jobs
from clock.inspection.jobs.jobs import FoundJob
from clock.job.position import FIELD
from clock.job.registry import knows, look_at_jobs, lookup, names
from clock.printable import closest

DAY = 86_400.0  # seconds
START_SECONDS = 60.0  # for a worker to start and take the job
AGAIN_SECONDS = 30.0  # for the next worker to take the job again
MOVE_SECONDS = 5.0  # for a failed job to be stored with its error


@click.command()
@click.argument("job")
@click.argument("args", nargs=-1)
@click.option(
    "--grace", type=Number(0.1, DAY), default=30.0, show_default=True, help="Seconds from SIGTERM to SIGKILL."
)
@click.option(
    "--after", type=Number(0.1, DAY), default=2.0, show_default=True, help="Seconds from the start to SIGTERM."
)
@config_option
@json_option
def rehearse_stop(
    job: str, args: tuple[str, ...], grace: float, after: float, config: Path | None, as_json: bool
) -> None:
    """Run the job class JOB with ARGS on a scratch server, and stop its worker as a deploy does.

    ARGS are JSON, or else text. The job really runs: use test settings for databases, mails and other services.
    Your Redis is never used. Exits 1 if the job runs again from its start, 0 if it ends in time or continues.

    \b
    Example: python -m clock rehearse-stop ImportRowsJob 42 --grace 30
    """
    answering()
    settings = load_config({}, file=config)
    add_application(settings.clock_file)
    require = [path for path in settings.require if path.exists()]
    look_at_jobs(*require)
    if not knows(job):
        hint = closest(job, names(), f" under {', '.join(map(str, settings.require))}", before="; ")
        raise ConfigurationError(f"no job class is named {job!r}{hint}")
    with scratch() as place:
        wanted: Any = lookup(job)
        jid = wanted.perform_async(*map(_value, args))
        queue = str(wanted.queue)
        report = StopRehearsal(place, require, queue, jid, after, grace, settings.stop_timeout).run()
    if as_json:
        echo_json(asdict(report))
    else:
        for step in report.steps:
            echo(f"{step.at:5.1f} s  {step.text}")
        echo(f"Verdict: {report.verdict}")
    sys.exit(0 if report.outcome in ("finished", "continued") else 1)


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the report: seconds since the push, and the event in words."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class StopReport:
    """The steps, and the verdict: `outcome` is finished, repeated, continued, failed or lost."""

    steps: Sequence[Step]
    outcome: str
    verdict: str


@dataclass(slots=True)
class StopRehearsal:
    """Stops the worker of a job, `after` seconds after its start; the platform kills it `grace` seconds later."""

    scratch: Scratch
    require: Sequence[Path]
    queue: str
    jid: str
    after: float
    grace: float
    stop_timeout: float
    start_seconds: float = START_SECONDS
    _clock: SystemClock = field(default_factory=SystemClock)
    _steps: list[Step] = field(default_factory=list)
    _began: float = 0.0

    def run(self) -> StopReport:
        """Rehearse it; takes at most some seconds more than `after` and `grace` together."""
        self._began = self._clock.monotonic()
        worker, lines = self._start()
        if self._seen(lines, self.start_seconds, "starts") != "starts":
            return self._report("failed", "the worker did not start the job: see the errors of its class or queue")
        self._note("the job starts")
        if (end := self._seen(lines, self.after, "done", "failed")) is not None:
            self._note(f"the job is {end}")
            took = self._steps[-1].at - self._steps[-2].at
            verdict = f"the job ended after {took:.1f} s, before the stop; use a shorter --after or a longer job"
            return self._ended(end, verdict, "before the stop")
        worker.popen.send_signal(signal.SIGTERM)
        self._note("SIGTERM, as a deploy sends it")
        return self._stopped(worker, lines)

    def _stopped(self, worker: Child, lines: Queue[dict[str, Any]]) -> StopReport:
        try:
            worker.popen.wait(self.grace)
            self._note("the worker exited")
            was_killed = False
        except subprocess.TimeoutExpired:
            worker.popen.kill()
            worker.popen.wait()
            self._note(f"SIGKILL: the worker did not exit within {self.grace:g} s")
            was_killed = True
        if (end := self._seen(lines, 1.0, "done", "failed")) is not None:
            self._note(f"before that, the job was {end}")
            verdict = "the job ends within the grace period: a deploy does not interrupt it"
            return self._ended(end, verdict, "during the grace period")
        return self._next(was_killed=was_killed)

    def _ended(self, end: str, verdict: str, period: str) -> StopReport:
        """The report on a job that ended in this period: `verdict` if it is done."""
        if end == "done":
            return self._report("finished", verdict)
        until, error = self._clock.monotonic() + MOVE_SECONDS, None
        while error is None and self._clock.monotonic() < until:
            self._clock.wait(threading.Event(), 0.1)
            job = self._stored()
            error = job.error if job else None
        return self._report("failed", f"the job failed {period}: {error or 'see its log'}")

    def _stored(self) -> FoundJob | None:
        return next((job for job in all_jobs(self.scratch.redis) if job.jid == self.jid), None)

    def _next(self, *, was_killed: bool) -> StopReport:
        held = self._stored()
        if held is None:
            return self._report("lost", "the job is lost: please report this as a bug")
        position = held.payload.get(FIELD)
        worker, lines = self._start()
        is_back = self._seen(lines, AGAIN_SECONDS, "starts") == "starts"
        self._note("the next worker starts the job again" if is_back else "the next worker has not started it yet")
        worker.popen.kill()
        if isinstance(position, dict):
            text = f"the job continues after {position.get('done', 0)} items: only the last item may run twice"
            return self._report("continued", text)
        why = "the worker was killed" if was_killed else f"it was not done {self.stop_timeout:g} s after SIGTERM"
        longer = (
            f" Or raise the platform's grace period above the worker's -t ({self.stop_timeout:g} s)." * was_killed
        )
        text = (
            f"the job runs again from its start, because {why}. Make it safe to repeat, or shorter, or an "
            f"IterableJob, which continues.{longer}"
        )
        return self._report("repeated", text)

    def _start(self) -> tuple[Child, Queue[dict[str, Any]]]:
        jobs = [word for path in self.require for word in ("-r", str(path))]
        log = ["--log-format", "json", "--log-level", "debug", "-t", f"{self.stop_timeout:g}", "-c", "1"]
        child = self.scratch.start("worker", "worker", *jobs, "-q", self.queue, *log, output=subprocess.PIPE)
        found: Queue[dict[str, Any]] = Queue()
        threading.Thread(target=_read, args=(child, found), daemon=True).start()
        return child, found

    def _seen(self, lines: Queue[dict[str, Any]], seconds: float, *words: str) -> str | None:
        """The first of the words that the log has of the job within the time; None: none of them."""
        end = self._clock.monotonic() + seconds
        while (left := end - self._clock.monotonic()) > 0:
            try:
                line = lines.get(timeout=left)
            except Empty:
                return None
            word = str(line.get("message", "")).partition(f" {self.jid} ")[2].partition(" ")[0]
            if line.get("jid") == self.jid and word in words:
                return word
        return None

    def _note(self, text: str) -> None:
        self._steps.append(Step(self._clock.monotonic() - self._began, text))

    def _report(self, outcome: str, verdict: str) -> StopReport:
        return StopReport(self._steps, outcome, verdict)


def _read(child: Child, found: Queue[dict[str, Any]]) -> None:
    assert child.popen.stdout is not None  # noqa: S101  # it was started with a pipe
    with child.popen.stdout as lines:
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:  # output of the application
                continue
            if isinstance(record, dict):
                found.put(record)
