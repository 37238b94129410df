"""The worker's heartbeat: it shows in Redis, and on Sidekiq's page, that this process lives and what it does.

The heartbeat itself only means that the worker lives, and no other failure may stop it. So the description of the
worker is written separately. While a job holds the interpreter lock, `heartbeat_process.py` sends the heartbeat.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import msgspec

from clock import __version__
from clock.clocks import Clock
from clock.errors import StoreUnavailable
from clock.job.payload import seconds
from clock.problems import Problems, published
from clock.store.jobs.moves import Claimed
from clock.store.jobs.worker_register import Beat, WorkerRegister
from clock.worker.fetching.fetcher import Fetcher
from clock.worker.heartbeat.heartbeat_link import HeartbeatLink
from clock.worker.options import MISSED_BEATS, WorkerOptions

GRACE_BEATS = 2  # heartbeats; a worker that starts or was cut off declares no other worker dead in that time

logger = logging.getLogger("clock.worker")


@dataclass(frozen=True, slots=True)
class BeatTasks:
    """The tasks of a worker with each heartbeat.

    `describe` returns what the worker publishes, given the round-trip time in µs. `on_signal` gets a signal that
    Sidekiq's page sent. `judge` puts back the jobs of dead workers, when this worker has been connected for long
    enough to know that they are dead.
    """

    describe: Callable[[int], Beat]
    on_signal: Callable[[str], object]
    duties: Callable[[], object]
    judge: Callable[[], object]


class Heartbeat:
    """A thread's loop: beat, then do the tasks of a heartbeat, every `beat_seconds`."""

    def __init__(
        self,
        register: WorkerRegister,
        identity: str,
        tasks: BeatTasks,
        *,
        beat_seconds: float,
        clock: Clock,
        problems: Problems | None = None,
        link: HeartbeatLink | None = None,
    ) -> None:
        problems = problems or Problems(clock=clock)
        self._part, self._description = problems.part("heartbeat"), problems.part("description")
        self._register = register
        self._identity = identity
        self._tasks = tasks
        self._beat_seconds = beat_seconds
        self._expires_seconds = MISSED_BEATS * beat_seconds
        self._clock = clock
        self._link = link
        self._rtt_us = 0
        self._last_beat = clock.monotonic()  # jobs are claimed before the first heartbeat
        self._judges_from = clock.monotonic() + GRACE_BEATS * beat_seconds

    def run(self, stop: threading.Event) -> None:
        """Beat until `stop` is set."""
        while True:
            try:
                self.turn()
            except Exception as error:  # noqa: BLE001  # a worker without a heartbeat loses its jobs, whatever was wrong
                self._part.failed(error)
            else:
                self._part.works()
            if self._clock.wait(stop, self._beat_seconds):
                return

    def turn(self) -> None:
        """Beat once, then do the tasks of a heartbeat. Raises StoreUnavailable.

        A worker that starts, or was without Redis, declares no other worker dead until the others have had time
        for a heartbeat: they may have been cut off, too, and their jobs still run.
        """
        self.beat()
        if self._clock.monotonic() >= self._judges_from:
            self._tasks.judge()
        self._tasks.duties()

    def beat(self) -> None:
        """Beat once, and act on a signal that Sidekiq's page sent. Raises StoreUnavailable."""
        if self._link:
            self._link.sign()
        described = self._described()
        now, asked = self._clock.now(), self._clock.monotonic()
        signal = self._register.beat(self._identity, now=now, seconds=self._expires_seconds)
        answered = self._clock.monotonic()
        if self._link:
            self._link.beaten()
        self._rtt_us = int((answered - asked) * 1_000_000)
        self._note_silence(answered)
        if signal:
            self._tasks.on_signal(signal)
        if described:
            try:
                self._register.describe(self._identity, described)
            except Exception as error:  # noqa: BLE001  # the heartbeat matters more than its description
                self._description.failed(error)
            else:
                self._description.works()

    def _note_silence(self, answered: float) -> None:
        """Stop judging for a while after a gap. Redis got this heartbeat at `answered`, in monotonic seconds."""
        last, self._last_beat = self._last_beat, answered
        silent = answered - last  # a process may also be suspended in the middle of a heartbeat
        if silent <= self._expires_seconds:
            return
        self._judges_from = answered + GRACE_BEATS * self._beat_seconds
        if self._link and self._link.has_beaten_since(last):
            return
        logger.warning(
            "No heartbeat for %.0f s: other workers may have taken over jobs that ran here in that time", silent
        )

    def _described(self) -> Beat | None:
        try:
            return self._tasks.describe(self._rtt_us)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # the heartbeat matters more than its description
            self._description.failed(error)
            return None


with suppress(ImportError):  # Windows: no worker runs there, but this is imported
    import resource

SHOWN_BYTES = 10_000  # a longer payload is shown without its arguments


class _Summary(msgspec.Struct):
    """The fields of a payload, without its arguments, which are not parsed."""

    name: str = msgspec.field(name="class", default="")
    jid: str = ""
    created_at: int | float | None = None
    enqueued_at: int | float | None = None


_SUMMARIES = msgspec.json.Decoder(_Summary)


class WorkerDescription:
    """Describes this worker for Redis, in the fields that Sidekiq's web page reads."""

    def __init__(
        self,
        fetcher: Fetcher,
        options: WorkerOptions,
        *,
        identity: str,
        clock: Clock,
        problems: Problems | None = None,
    ) -> None:
        self._problems = problems or Problems(clock=clock)
        self._fetcher = fetcher
        self._clock = clock
        self._shown: dict[str, tuple[Claimed, str]] = {}  # thread id -> job, and its payload as it is shown
        _statm()
        self._info: dict[str, object] = {
            "hostname": socket.gethostname(),
            "started_at": seconds(clock.now()),
            "pid": os.getpid(),
            "tag": "python",
            "concurrency": options.concurrency,
            "queues": options.queue_names,
            "weights": [{queue.name: queue.weight for queue in options.queues}],
            "labels": [],
            "identity": identity,
            "version": __version__,
            "embedded": False,
        }

    def beat(self, rtt_us: int) -> Beat:
        """The description to publish now; `rtt_us` is the last heartbeat's round-trip time in microseconds."""
        now, monotonic = seconds(self._clock.now()), self._clock.monotonic()
        before, self._shown = self._shown, {}
        work: dict[str, dict[str, object]] = {}
        for slot in self._fetcher.slots:
            if job := slot.job:
                last, payload = before.get(slot.tid, (None, ""))
                if last is not job:  # a large payload is parsed once, not with each heartbeat
                    payload = shown(job)
                self._shown[slot.tid] = job, payload
                run_at = int(now - (monotonic - slot.started))
                work[slot.tid] = {"queue": job.queue, "payload": payload, "run_at": run_at}
                if slot.state and slot.state.progress is not None:  # Sidekiq's page ignores the field
                    work[slot.tid]["progress"] = slot.state.progress
        return Beat(
            info=self._info,
            busy=len(work),
            beat=now,
            rtt_us=rtt_us,
            quiet=self._fetcher.stopping,
            rss=resident_kb(),
            work=work,
            fetched=now - (monotonic - self._fetcher.claims.last_round_trip),
            problems=published(self._problems, self._clock.now()),
        )


def shown(job: Claimed) -> str:
    """The payload for Sidekiq's page, without the arguments if it is longer than `SHOWN_BYTES`."""
    if len(job.payload) <= SHOWN_BYTES:
        return job.payload.decode(errors="replace")
    try:
        summary = _SUMMARIES.decode(job.payload)
    except (ValueError, RecursionError):
        summary = _Summary()
    args = [f"{len(job.payload)} bytes, not shown"]
    return json.dumps({**msgspec.to_builtins(summary), "queue": job.queue, "args": args})


def resident_kb() -> int:
    """The resident memory of this process in kB; on systems without `/proc`, its peak so far."""
    statm = _statm()
    if statm is not None:
        return int(os.pread(statm, 200, 0).split()[1]) * resource.getpagesize() // 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


@cache
def _statm() -> int | None:
    """An open descriptor of `/proc/self/statm`, if there is one: a job may use up all descriptors later."""
    try:
        return os.open("/proc/self/statm", os.O_RDONLY)
    except OSError:
        return None
