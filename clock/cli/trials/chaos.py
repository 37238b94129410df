"""Chaos: the user's clock file and jobs on a scratch server, while processes are killed and connections cut.

The order of the disturbances comes from a seed. Their effect also depends on the machine: a seed repeats the
order, not each result.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from clock.cli.trials.final_check import FinalCheck, final_check
from clock.cli.trials.scratch import Child, Scratch
from clock.clocks import Clock, SystemClock
from clock.errors import ActionFailed, ConfigurationError, StoreError
from clock.inspection.jobs.busy import all_jobs
from clock.store import Redis
from clock.store.ledger.ledger import RedisLedger
from clock.store.server.connection import translated
from clock.ticker import fire_manually
from clock.timetable import Event, Timetable

LEAST_PAUSE, MOST_PAUSE = 0.5, 2.0  # seconds between two disturbances
FIRE_SECONDS = 0.3  # between two runs of events
LONGEST_FREEZE = 6.0  # seconds that a process is suspended
LONGEST_STALL = 1_500  # ms for which the server answers no command
LONGEST_SERVER_FREEZE = 4.0  # seconds that the server's process is suspended, longer than a stall
SETTLE_SECONDS = 90.0  # for the jobs of dead workers to run again, after the last disturbance

#: In words, for the report, and how often each is drawn.
DISTURBANCES = {"killed": 5, "stopped": 2, "suspended": 2, "cut": 2, "stalled": 1, "frozen": 1, "restarted": 2}
OF_SERVER = {
    "cut": "the connections of the server were cut",
    "stalled": "the server was stalled",
    "frozen": "the server was suspended",
    "restarted": "the server was killed, and starts again with its append-only file",
}
SERVER_PROCESS = ("frozen", "restarted")
WORKERS_FIRST = {"worker": 3, "clock": 1}  # how often each is drawn: jobs are what users write


@dataclass(frozen=True, slots=True)
class ChaosPlan:
    """The application, how long it is disturbed, the seed, how many clocks and workers run, and DISTURBANCES."""

    clock_file: Path
    require: Sequence[Path]
    queues: Sequence[str]
    seconds: float
    seed: int
    clocks: int = 2
    workers: int = 2
    disturbances: Mapping[str, int] = field(default_factory=lambda: DISTURBANCES)


@dataclass(frozen=True, slots=True)
class ChaosReport:
    """The disturbances by their kind, and the check at the end."""

    disturbances: Counter[str]
    check: FinalCheck


@dataclass(slots=True)
class Chaos:
    """Runs a plan on a scratch server. `log` gets a line for each disturbance."""

    plan: ChaosPlan
    scratch: Scratch
    timetable: Timetable
    log: Callable[[str], object]
    clock: Clock = field(default_factory=SystemClock)
    _done: Counter[str] = field(default_factory=Counter)

    def run(self) -> ChaosReport:
        """Start the application, disturb it, wait until it is idle, stop it, and check the result.

        Raises ConfigurationError if no event of the file enqueues a job, or if a process does not start.
        """
        dice, clock, never = random.Random(self.plan.seed), self.clock, threading.Event()  # noqa: S311
        of_events = random.Random(self.plan.seed)  # noqa: S311  # how many runs fit depends on the machine
        events = [event for event in self.timetable.events if event.enqueues]
        if not events:
            raise ConfigurationError(f"{self.plan.clock_file}: no event enqueues a job; chaos needs one")
        self._start_all()
        end = clock.monotonic() + self.plan.seconds
        next_one = clock.monotonic() + MOST_PAUSE
        resumes: list[tuple[float, Child]] = []
        while (now := clock.monotonic()) < end:
            self._fire(of_events.choice(events))
            for at, child in [one for one in resumes if one[0] <= now]:
                child.resume()
                resumes.remove((at, child))
            if now >= next_one:
                hit = self._disturb(dice)
                if hit and hit.is_suspended:
                    resumes.append((now + dice.uniform(1, LONGEST_FREEZE), hit))
                next_one = now + dice.uniform(LEAST_PAUSE, MOST_PAUSE)
            self._restart_ended()
            clock.wait(never, FIRE_SECONDS)
        self._settle()
        self.scratch.end()
        logged = self.scratch.logged_jobs()
        return ChaosReport(self._done, final_check(self.scratch.redis, self.timetable, logged))

    def _start_all(self) -> None:
        for _ in range(self.plan.clocks):
            self.scratch.start("clock", "run", str(self.plan.clock_file))
        jobs = [word for path in self.plan.require for word in ("-r", str(path))]
        queues = [word for name in self.plan.queues for word in ("-q", name)]
        for _ in range(self.plan.workers):
            self.scratch.start("worker", "worker", *jobs, *queues, "-t", "3", "--log-level", "info")

    def _fire(self, event: Event) -> None:
        """Run an event now: those of the file may be due only once a day. A cut connection skips it."""
        try:
            fire_manually(self.timetable, event, ledger=RedisLedger(self.scratch.redis), clock=self.clock)
        except (StoreError, ActionFailed):
            self._done["skipped a run"] += 1

    def _disturb(self, dice: random.Random) -> Child | None:
        """Do one disturbance; the process that it was done to, if it was one."""
        what = dice.choices([*self.plan.disturbances], [*self.plan.disturbances.values()])[0]
        weights = [WORKERS_FIRST[child.kind] for child in self.scratch.children]
        child = dice.choices(self.scratch.children, weights)[0]
        if what in OF_SERVER:
            self._disturb_server(what, dice)
        else:
            child.resume()
            number = {"killed": signal.SIGKILL, "stopped": signal.SIGTERM, "suspended": signal.SIGSTOP}[what]
            child.send(number)
            child.is_suspended = what == "suspended"
        self._done[f"server {what}" if what in SERVER_PROCESS else what] += 1
        self.log(OF_SERVER.get(what, f"a {child.kind} was {what}"))
        return None if what in OF_SERVER else child

    def _disturb_server(self, what: str, dice: random.Random) -> None:
        """Disturb the server. One that starts again at this moment is left alone."""
        redis = self.scratch.redis
        with suppress(StoreError), translated():
            if what == "cut":
                _cut(redis)
            elif what == "stalled":
                redis.client_pause(dice.randrange(200, LONGEST_STALL))
            elif what == "restarted":
                os.kill(_process_of(redis), signal.SIGKILL)
            else:
                _freeze(_process_of(redis), dice.uniform(1, LONGEST_SERVER_FREEZE), self.clock)

    def _restart_ended(self) -> None:
        """Start processes that have ended again, as a platform does."""
        for child in list(self.scratch.children):
            if child.popen.poll() is not None:
                self.scratch.children.remove(child)
                self.scratch.start(child.kind, *child.arguments)

    def _settle(self) -> None:
        """Wait, without disturbances, until no job runs or waits in a queue."""
        for child in self.scratch.children:
            child.resume()
        never, end = threading.Event(), self.clock.monotonic() + SETTLE_SECONDS
        while self.clock.monotonic() < end:
            self._restart_ended()
            if not _is_busy(self.scratch.redis):
                return
            self.clock.wait(never, 0.5)


def _cut(redis: Redis) -> None:
    """Close the connections of all other clients; one's own pool opens new ones, too."""
    redis.client_kill_filter(_type="normal", skipme=True)


def _process_of(redis: Redis) -> int:
    """The process id of the server, whose keeper starts it again when it ends."""
    return int(redis.info("server")["process_id"])


def _freeze(pid: int, seconds: float, clock: Clock) -> None:
    os.kill(pid, signal.SIGSTOP)
    try:
        clock.wait(threading.Event(), seconds)
    finally:
        os.kill(pid, signal.SIGCONT)


def _is_busy(redis: Redis) -> bool:
    """Whether a job waits in a queue, or is claimed. Jobs that have failed wait for a later retry."""
    try:
        return any(job.error is None and job.at is None for job in all_jobs(redis))
    except StoreError:
        return True
