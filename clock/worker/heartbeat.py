"""The worker's heartbeat: it tells Redis, and so Sidekiq's page, that this process lives and what it does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from clock.clocks import Clock, to_ms
from clock.problems import Problems
from clock.store.processes import Beat, Processes
from clock.worker.options import MISSED_BEATS

GRACE_BEATS = 2  # for so many, a worker that starts or was cut off takes no other for dead

logger = logging.getLogger(__name__)


class Heartbeat:
    """A thread's loop: beat, then do what the beat calls for, every `beat_seconds`.

    `duties` are done with each beat; `judge` takes silent workers for dead, where this one has listened for long
    enough to say so.
    """

    def __init__(
        self,
        processes: Processes,
        identity: str,
        *,
        describe: Callable[[int], Beat],
        on_signal: Callable[[str], object],
        duties: Callable[[], object],
        judge: Callable[[], object],
        beat_seconds: float,
        clock: Clock,
        problems: Problems | None = None,
    ) -> None:
        self._part = (problems or Problems(clock=clock)).part("heartbeat")
        self._processes = processes
        self._identity = identity
        self._describe = describe
        self._on_signal = on_signal
        self._duties = duties
        self._judge = judge
        self._beat_seconds = beat_seconds
        self._expires_seconds = MISSED_BEATS * beat_seconds
        self._clock = clock
        self._rtt_us = 0
        self._last_beat = clock.monotonic()  # jobs are taken before the first beat
        self._judges_from = clock.monotonic() + GRACE_BEATS * beat_seconds

    def run(self, stop: threading.Event) -> None:
        """Beat until `stop` is set."""
        while True:
            try:
                self.turn()
            except Exception as error:  # noqa: BLE001  # a worker that is silent loses its jobs, whatever was wrong
                self._part.failed(error)
            else:
                self._part.works()
            if self._clock.wait(stop, self._beat_seconds):
                return

    def turn(self) -> None:
        """Beat once, then do what the beat calls for. Raises StoreUnavailable.

        A worker that was cut off from Redis itself judges nobody until the others, who may have been cut off with
        it, have had time to be heard: else it would give away jobs that still run. Nor does one that starts, which
        may be the first to be heard after an outage.
        """
        self.beat()
        if self._clock.monotonic() >= self._judges_from:
            self._judge()
        self._duties()

    def beat(self) -> None:
        """Beat once, and act on a signal that Sidekiq's page sent. Raises StoreUnavailable."""
        told = self._describe(self._rtt_us)
        expires_ms = to_ms(self._clock.now()) + int(self._expires_seconds * 1000)
        asked = self._clock.monotonic()
        signal = self._processes.beat(self._identity, told, expires_ms=expires_ms)
        answered = self._clock.monotonic()
        self._rtt_us = int((answered - asked) * 1_000_000)
        silent = answered - self._last_beat  # a process may also be stopped in the middle of a beat
        self._last_beat = answered
        if silent > self._expires_seconds:
            self._judges_from = answered + GRACE_BEATS * self._beat_seconds
            logger.warning(
                "No heartbeat for %.0f s: jobs that ran here meanwhile may have been given to other workers",
                silent,
            )
        if signal:
            self._on_signal(signal)
