"""The worker's heartbeat: it shows in Redis, and on Sidekiq's page, that this process lives and what it does.

The heartbeat itself only means that the worker lives, and no other failure may stop it. So the description of the
worker is written separately. While a job holds the interpreter lock, `heartbeat_process.py` sends the heartbeat.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from clock.clocks import Clock, to_ms
from clock.errors import StoreUnavailable
from clock.problems import Problems
from clock.store.jobs.worker_register import Beat, WorkerRegister
from clock.worker.heartbeat.heartbeat_link import HeartbeatLink
from clock.worker.options import MISSED_BEATS

GRACE_BEATS = 2  # heartbeats; a worker that starts or was cut off declares no other worker dead in that time

logger = logging.getLogger("clock.worker")


@dataclass(frozen=True, slots=True)
class BeatTasks:
    """What a worker does with each heartbeat.

    `describe` returns what the worker publishes, given the round-trip time in µs. `on_signal` gets a signal that
    Sidekiq's page sent. `duties` run with each heartbeat. `judge` puts back the jobs of dead workers. It runs only
    when this worker has been connected for long enough to know that they are dead.
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

        After a time without Redis, the worker declares no other worker dead until the others have had time for a
        heartbeat: they may have been cut off, too, and their jobs still run. A worker that starts also waits, as
        it may be the first one after an outage.
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
        expires_ms = to_ms(self._clock.now()) + int(self._expires_seconds * 1000)
        asked = self._clock.monotonic()
        signal = self._register.beat(self._identity, expires_ms=expires_ms)
        answered = self._clock.monotonic()
        if self._link:
            self._link.beaten()
        self._rtt_us = int((answered - asked) * 1_000_000)
        self._note_silence(answered)
        if signal:
            self._tasks.on_signal(signal)
        if described:
            self._show(described)

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

    def _show(self, described: Beat) -> None:
        try:
            self._register.describe(self._identity, described)
        except Exception as error:  # noqa: BLE001  # see above
            self._description.failed(error)
        else:
            self._description.works()
