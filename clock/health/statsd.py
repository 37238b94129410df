"""StatsD and DogStatsD: the metrics of runs and jobs, under the names that Prometheus has for them.

`CLOCK_STATSD=host:8125` sends to a StatsD server. With `dogstatsd://host:8125` the labels are tags and durations
are histograms in seconds. Plain StatsD has no tags: the labels follow the name, and durations are timers in ms.

Lines are collected, and sent by UDP when a packet is full or after a second. A server that is down costs nothing.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from clock.clocks import Clock
from clock.errors import ConfigurationError
from clock.forking import in_child
from clock.job.context import JobRun
from clock.store.ledger.decision import Decision

PACKET = 1_400  # bytes: fits into one Ethernet frame
FLUSH_SECONDS = 1.0
VARIABLE = "CLOCK_STATSD"
_SEPARATORS = re.compile(r"[^A-Za-z0-9_-]+")  # characters that separate the parts of a line


class Statsd:
    """Collects and sends lines. May be used from any thread."""

    def __init__(self, address: tuple[str, int], clock: Clock, *, has_tags: bool) -> None:
        self._address = address
        self._clock = clock
        self._has_tags = has_tags
        self._renew()
        in_child(self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._lines: list[str] = []  # guarded by _lock
        self._size = 0  # guarded by _lock
        self._thread: threading.Thread | None = None  # guarded by _lock

    def note_decision(self, decision: Decision) -> None:
        """Count a decision. For the clock's listeners."""
        self._add("clock_firings_total", 1, "c", {"event": decision.event, "outcome": decision.kind.value})
        late_ms = decision.detail.get("late_ms")
        if decision.kind.fires and isinstance(late_ms, int):
            self._time("clock_firing_lateness_seconds", late_ms / 1000, {})

    def note_run(self, run: JobRun) -> None:
        """Count and time a run of a job. For the worker's listeners."""
        if run.outcome != "unfit":
            name = str(run.payload["class"])
            self._add("clock_jobs_total", 1, "c", {"job": name, "queue": run.queue, "outcome": run.outcome})
            self._time("clock_job_run_seconds", run.seconds, {"job": name})

    def flush(self) -> None:
        """Send the collected lines now."""
        with self._lock:
            lines, self._lines, self._size = self._lines, [], 0
        self._send(lines)

    def _time(self, name: str, seconds: float, labels: Mapping[str, str]) -> None:
        if self._has_tags:
            self._add(name, round(seconds, 6), "h", labels)
        else:
            self._add(name, round(seconds * 1000, 3), "ms", labels)

    def _add(self, name: str, value: float, kind: str, labels: Mapping[str, str]) -> None:
        words = {label: _SEPARATORS.sub("_", text) for label, text in labels.items()}
        if self._has_tags:
            tags = ",".join(f"{label}:{text}" for label, text in words.items())
            line = f"{name}:{value}|{kind}" + (f"|#{tags}" if tags else "")
        else:
            line = f"{'.'.join([name, *words.values()])}:{value}|{kind}"
        packet: list[str] = []
        with self._lock:
            if self._size + len(line) + 1 > PACKET:
                packet, self._lines, self._size = self._lines, [], 0
            self._lines.append(line)
            self._size += len(line) + 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="statsd", daemon=True)
                self._thread.start()
        self._send(packet)

    def _run(self) -> None:
        never = threading.Event()
        while True:
            self._clock.wait(never, FLUSH_SECONDS)
            self.flush()

    def _send(self, lines: Sequence[str]) -> None:
        if not lines:
            return
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
                link.sendto("\n".join(lines).encode(), self._address)
        except OSError:  # UDP: what cannot be sent is lost, as everywhere with StatsD
            return


def statsd_in(environ: Mapping[str, str], clock: Clock) -> Statsd | None:
    """The client that the environment configures; None: it does not. Raises ConfigurationError."""
    given = environ.get(VARIABLE)
    if not given:
        return None
    parts = urlsplit(given if "://" in given else f"statsd://{given}")
    try:
        port = parts.port or 8125
    except ValueError:
        port = 0
    if parts.scheme not in ("statsd", "dogstatsd") or not parts.hostname or not port:
        raise ConfigurationError(
            f"{VARIABLE} is {given!r:.80}; it must be like host:8125 or dogstatsd://host:8125"
        )
    return Statsd((parts.hostname, port), clock, has_tags=parts.scheme == "dogstatsd")
