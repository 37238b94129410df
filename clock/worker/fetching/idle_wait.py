"""If no jobs wait, a resting thread waits in Redis for the next job itself.

Its claim is sent along with the wait, so the job starts after one round trip and is not handed over. A job that
arrives just after a stop may still be claimed: it is put back at once.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue

from clock.errors import StoreError
from clock.store.jobs.moves import Claimed
from clock.worker.fetching.claims import Claims
from clock.worker.fetching.handoff import Handoff

WAIT_SECONDS = 1.0  # one wait; a stop that cannot end it is noticed after this
END_SECONDS = 0.05  # how often a stop tries to end a wait, which may just be starting

logger = logging.getLogger("clock.worker")


class IdleWait:
    """Makes a resting thread wait for jobs, for `wait_seconds` at most, and reports to the fetcher's thread."""

    def __init__(self, claims: Claims, handoff: Handoff, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._claims = claims
        self._handoff = handoff
        self._wait_seconds = wait_seconds
        self._limit = 1  # how many jobs to claim; set before a thread is woken to wait
        self._news: SimpleQueue[Exception | int | None] = SimpleQueue()  # how many jobs there were; None: a stop
        self._over = threading.Event()  # not set: a claim is under way
        self._over.set()

    def start(self, limit: int) -> int:
        """Make a thread wait and claim up to `limit` jobs. Returns how many it claimed.

        Called by the fetcher's thread. Raises the error of the thread's claim, such as StoreUnavailable.
        """
        self._limit = limit
        if not self._handoff.let_one_wait_idle():
            return 0
        news = self._news.get()
        while news is None:
            try:
                self._claims.end_wait()
            except StoreError as error:
                logger.debug("Could not cancel a wait; it ends by itself: %s", error)
            with suppress(Empty):
                news = self._news.get(timeout=END_SECONDS)
        if isinstance(news, Exception):
            raise news
        return news

    def wait(self) -> Claimed | None:
        """Wait for jobs: the first one; the others are handed out. None: no job came, or the worker stops."""
        self._over.clear()
        try:
            jobs = list(self._claims.wait_and_claim(self._limit, self._wait_seconds))
        except Exception as error:  # noqa: BLE001  # the fetcher's thread raises it
            self._news.put(error)
            return None
        finally:
            self._over.set()
        found = len(jobs)
        mine = jobs.pop(0) if jobs and not self._claims.stopped.is_set() else None
        if jobs:
            self._handoff.add(jobs)
        self._news.put(found)
        return mine

    def stop(self) -> None:
        """End a wait that is under way, without waiting for its end."""
        self._news.put(None)

    def wait_until_over(self) -> None:
        """Wait until no claim is under way, for twice a wait's time at most."""
        self._over.wait(2 * WAIT_SECONDS)
