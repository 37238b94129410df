"""`clock chaos`: the application on a scratch server, while processes are killed and connections cut.

The order of the disturbances comes from a seed. Their effect also depends on the machine: a seed repeats the
order, not each result.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click

from clock.cli.commands.trials.final_check import FinalCheck, final_check
from clock.cli.commands.trials.scratch import Scratch, scratch
from clock.cli.options import GivenPath, Number, answering, config_option
from clock.cli.output import echo, echo_json, json_option
from clock.cli.timetables import load_timetable
from clock.clocks import Clock, SystemClock
from clock.config import load_config
from clock.errors import ActionFailed, ConfigurationError, StoreError
from clock.inspection.jobs.busy import all_jobs
from clock.job.registry import look_at_jobs
from clock.printable import counted
from clock.store.ledger.ledger import RedisLedger
from clock.store.server.connection import translated
from clock.ticker.requested_runs import fire_manually
from clock.timetable import Event, Timetable

LEAST_PAUSE, MOST_PAUSE = 0.5, 2.0  # seconds between two disturbances
FIRE_SECONDS = 0.3  # between two runs of events
LONGEST_FREEZE = 6.0  # seconds that a process is suspended
LONGEST_STALL = 1_500  # ms for which the server answers no command
LONGEST_SERVER_FREEZE = 4.0  # seconds that the server's process is suspended, longer than a stall
SETTLE_SECONDS = 90.0  # for the jobs of dead workers to run again, after the last disturbance

#: In words, for the report, and how often each is drawn.
DISTURBANCES = {"killed": 5, "stopped": 2, "suspended": 2, "cut": 2, "stalled": 1, "frozen": 1, "restarted": 2}
SIGNALS = {"killed": signal.SIGKILL, "stopped": signal.SIGTERM, "suspended": signal.SIGSTOP}
OF_SERVER = {
    "cut": "the connections of the server were cut",
    "stalled": "the server was stalled",
    "frozen": "the server was suspended",
    "restarted": "the server was killed, and starts again with its append-only file",
}
SERVER_PROCESS = ("frozen", "restarted")
WORKERS_FIRST = {"worker": 3, "clock": 1}  # how often each is drawn: jobs are what users write


@click.command()
@click.argument("clock_file", required=False, type=GivenPath(), default=Path("lib/clock.py"))
@click.option("--minutes", type=Number(0.05, 600), default=5.0, show_default=True, help="Length.")
@click.option("--seed", type=int, help="Order of the disturbances; default: a random one, which is printed.")
@click.option("--verbose", is_flag=True, help="Print each disturbance.")
@config_option
@json_option
def chaos(
    clock_file: Path, minutes: float, seed: int | None, verbose: bool, config: Path | None, as_json: bool
) -> None:
    """Run CLOCK_FILE (default: lib/clock.py) and its jobs while processes are killed and cut off.

    It starts its own scratch server, two clocks and two workers, runs the events again and again, and checks at
    the end: no job is lost, no job fails, each due instant was decided once. Exits 1 if there is a problem.

    The jobs really run: use test settings for databases, mails and other services. Your Redis is never used.

    \b
    Example: python -m clock chaos --minutes 1 --seed 7
    """
    answering()
    settings = load_config({"clock_file": clock_file}, file=config)
    timetable = load_timetable(settings)
    look_at_jobs(*(path for path in settings.require if path.exists()))
    seed = secrets.randbelow(10_000) if seed is None else seed
    log = (lambda line: echo("  ", line)) if verbose and not as_json else (lambda line: None)
    with scratch() as place:
        trial = Chaos(place, timetable, settings.require, settings.queue_names, minutes * 60, seed, log)
        found = trial.run()
    if as_json:
        echo_json({"seed": seed, "seconds": trial.seconds, "disturbances": trial.disturbances, **asdict(found)})
    else:
        _echo(trial, found)
    sys.exit(1 if found.problems else 0)


def _echo(trial: Chaos, found: FinalCheck) -> None:
    echo(f"seed {trial.seed}: {trial.seconds:g} s, {trial.clocks} clocks, {trial.workers} workers")
    echo("disturbances: ", ", ".join(f"{what} {count}" for what, count in trial.disturbances.items()) or "none")
    echo(f"{found.runs:,} runs, {found.jobs:,} jobs, {found.done:,} of them done")
    for problem in found.problems:
        echo("Problem: ", problem, fg="red")
    if found.problems:
        words = f"{trial.timetable.path} --minutes {trial.seconds / 60:g} --seed {trial.seed} --verbose"
        echo(f"Verdict: {counted(len(found.problems), 'problem')}. Repeat with: clock chaos {words}")
    else:
        echo("Verdict: no problem")


@dataclass(slots=True)
class Chaos:
    """Disturbs an application on a scratch server. `log` gets a line for each disturbance.

    `weights`: how often each one is drawn. `disturbances` counts them.
    """

    scratch: Scratch
    timetable: Timetable
    require: Sequence[Path]
    queues: Sequence[str]
    seconds: float
    seed: int
    log: Callable[[str], object]
    clocks: int = 2
    workers: int = 2
    weights: Mapping[str, int] = field(default_factory=lambda: DISTURBANCES)
    clock: Clock = field(default_factory=SystemClock)
    disturbances: Counter[str] = field(default_factory=Counter)

    def run(self) -> FinalCheck:
        """Run the application, disturb it, wait until it is idle, stop it, check it. Raises ConfigurationError."""
        dice, clock, never = random.Random(self.seed), self.clock, threading.Event()  # noqa: S311
        of_events = random.Random(self.seed)  # noqa: S311  # how many runs fit depends on the machine
        events = [event for event in self.timetable.events if event.enqueues]
        if not events:
            raise ConfigurationError(f"{self.timetable.path}: no event enqueues a job; chaos needs one")
        self._start_all()
        end = clock.monotonic() + self.seconds
        next_one = clock.monotonic() + MOST_PAUSE
        while (now := clock.monotonic()) < end:
            self._fire(of_events.choice(events))
            for child in self.scratch.children:
                if child.suspended_until is not None and child.suspended_until <= now:
                    child.resume()
            if now >= next_one:
                self._disturb(dice)
                next_one = now + dice.uniform(LEAST_PAUSE, MOST_PAUSE)
            self.scratch.restart_ended()
            clock.wait(never, FIRE_SECONDS)
        self._settle()
        self.scratch.end()
        return final_check(self.scratch.redis, self.timetable, self.scratch.logged_jobs())

    def _start_all(self) -> None:
        for _ in range(self.clocks):
            self.scratch.start("clock", "run", str(self.timetable.path))
        jobs = [word for path in self.require for word in ("-r", str(path))]
        queues = [word for name in self.queues for word in ("-q", name)]
        for _ in range(self.workers):
            self.scratch.start("worker", "worker", *jobs, *queues, "-t", "3", "--log-level", "info")

    def _fire(self, event: Event) -> None:
        """Run an event now: those of the file may be due only once a day. A cut connection skips it."""
        try:
            fire_manually(self.timetable, event, ledger=RedisLedger(self.scratch.redis), clock=self.clock)
        except (StoreError, ActionFailed):
            self.disturbances["skipped a run"] += 1

    def _disturb(self, dice: random.Random) -> None:
        what = dice.choices([*self.weights], [*self.weights.values()])[0]
        weights = [WORKERS_FIRST[child.kind] for child in self.scratch.children]
        child = dice.choices(self.scratch.children, weights)[0]
        self.disturbances[f"server {what}" if what in SERVER_PROCESS else what] += 1
        if what in OF_SERVER:
            self._disturb_server(what, dice)
            self.log(OF_SERVER[what])
            return
        child.resume()
        child.popen.send_signal(SIGNALS[what])
        if what == "suspended":
            child.suspended_until = self.clock.monotonic() + dice.uniform(1, LONGEST_FREEZE)
        self.log(f"a {child.kind} was {what}")

    def _disturb_server(self, what: str, dice: random.Random) -> None:
        """Disturb the server. A server that starts again at this moment is left alone."""
        redis = self.scratch.redis
        with suppress(StoreError), translated():
            if what == "cut":  # also the connections of this process: its pool opens new ones
                redis.client_kill_filter(_type="normal", skipme=True)
            elif what == "stalled":
                redis.client_pause(dice.randrange(200, LONGEST_STALL))
            else:
                process = int(redis.info("server")["process_id"])
                if what == "restarted":  # by its keeper
                    os.kill(process, signal.SIGKILL)
                    return
                os.kill(process, signal.SIGSTOP)
                try:
                    self.clock.wait(threading.Event(), dice.uniform(1, LONGEST_SERVER_FREEZE))
                finally:
                    os.kill(process, signal.SIGCONT)

    def _settle(self) -> None:
        """Wait, without disturbances, until no job runs or waits in a queue."""
        for child in self.scratch.children:
            child.resume()
        never, end = threading.Event(), self.clock.monotonic() + SETTLE_SECONDS
        while self.clock.monotonic() < end:
            self.scratch.restart_ended()
            with suppress(StoreError):  # jobs that have failed wait for a later retry
                if not any(job.error is None and job.at is None for job in all_jobs(self.scratch.redis)):
                    return
            self.clock.wait(never, 0.5)
