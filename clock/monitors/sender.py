"""Sends reports on threads, one for each provider. A provider that is down costs no run of an event and no job.

At most 1,000 reports wait for a provider. One more drops the oldest, which is counted and logged.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from http.client import HTTPException
from urllib import request as urls

from clock.clocks import Clock
from clock.forking import in_child
from clock.monitors import listeners
from clock.monitors.providers import Provider, Report, Request

WAITING = 1_000  # reports
TIMEOUT_SECONDS = 5.0  # for one request
PAUSES = (1.0, 5.0)  # seconds before the second and the third try of a report
DRAIN_SECONDS = 5.0  # for the reports that wait when the process ends

logger = logging.getLogger("clock.clock")


class Refused(Exception):
    """The provider answered with an error that another try does not change."""


def send(request: Request) -> None:
    """Send a request. Raises OSError or HTTPException if the provider cannot be reached, Refused if it refuses."""
    asked = urls.Request(  # noqa: S310  # the URL was checked: http or https
        request.url, data=request.body or None, headers=dict(request.headers or {}), method=request.method
    )
    try:
        with urls.urlopen(asked, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  # as above
            answer.read(1_000)
    except urls.HTTPError as error:
        error.close()
        if error.code == 429 or error.code >= 500:
            raise OSError(f"HTTP {error.code}") from None
        raise Refused(f"HTTP {error.code}") from None


class Senders:
    """The senders of all providers, and the listeners. All methods may be called from any thread."""

    def __init__(self, providers: Sequence[Provider], clock: Clock) -> None:
        self._senders = [Sender(provider, clock) for provider in providers]

    def put(self, report: Report) -> None:
        """Send a report to all providers, later, and call the listeners. Returns at once."""
        for listener in listeners:
            try:
                listener(report)
            except Exception:
                logger.exception("A listener of monitors failed; no other report is affected")
        for sender in self._senders:
            sender.put(report)

    def stop(self) -> None:
        """Send what waits, for 5 s at most for each provider, and end the threads."""
        for sender in self._senders:
            sender.stop()


class Sender:
    """The queue of a provider and its thread, which starts with the first report."""

    def __init__(self, provider: Provider, clock: Clock, send: Callable[[Request], object] = send) -> None:
        self._provider = provider
        self._clock = clock
        self._send = send
        self.dropped = 0  # guarded by _lock
        self._stop = threading.Event()
        self._renew()
        in_child(self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[str, Request]] = deque()  # guarded by _lock; with their monitors
        self._arrived = threading.Event()
        self._thread: threading.Thread | None = None  # guarded by _lock

    def put(self, report: Report) -> None:
        """Send a report later. Returns at once."""
        with self._lock:
            if len(self._waiting) >= WAITING:
                self._waiting.popleft()
                self.dropped += 1
                if self.dropped % 100 == 1:
                    words = "Monitors: dropped %d reports for %s, as more than %d wait"
                    logger.error(words, self.dropped, self._provider.name, WAITING)
            self._waiting.append((report.slug, self._provider.report(report)))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="monitors", daemon=True)
                self._thread.start()
        self._arrived.set()

    def stop(self) -> None:
        """Send what waits, for 5 s at most, and end the thread."""
        self._stop.set()
        self._arrived.set()
        if self._thread:
            self._thread.join(DRAIN_SECONDS)

    def _run(self) -> None:
        while True:
            with self._lock:
                waiting = self._waiting.popleft() if self._waiting else None
            if waiting is not None:
                self._try(*waiting)
            elif self._stop.is_set():
                return
            else:
                self._arrived.wait(60)
                self._arrived.clear()

    def _try(self, slug: str, request: Request) -> None:
        shown = f"{self._provider.name} {slug}"  # the URL may contain a key
        for pause in (*PAUSES, None):  # pragma: no branch  # the last one returns
            try:
                self._send(request)
            except Refused as error:
                logger.error("Monitors: %s refused a report: %s", shown, error)
            except (OSError, HTTPException) as error:
                if pause is not None and not self._stop.is_set():
                    self._clock.wait(self._stop, pause)
                    continue
                logger.error("Monitors: %s did not get a report: %s", shown, type(error).__name__)
            return
