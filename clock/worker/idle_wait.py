"""Where there is nothing to do, a resting thread waits for the next job itself.

Its claim is sent along with the wait, so that the job starts after one round trip and is handed over to nobody.
The fetcher's thread sleeps meanwhile. A job that arrives just after a stop may be claimed all the same: it is put
back at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from clock.errors import StoreError
from clock.store.jobs.in_progress import Ahead, Claimed, InProgress
from clock.worker.handoff import Ready

WAIT_SECONDS = 1.0  # one wait; a stop that cannot end it is seen after this
END_SECONDS = 0.05  # how often it is tried to end a wait at a stop, as it may just begin

logger = logging.getLogger("clock.worker")


class Lookout:
    """Lets a resting thread wait for jobs, and tells the fetcher's thread what came of it.

    `prepare` makes the claim, None where nothing is to be claimed any more; `receive` is given what was claimed,
    and gives what there is to do. A wait takes `wait_seconds` at most.
    """

    def __init__(
        self,
        in_progress: InProgress,
        ready: Ready,
        *,
        prepare: Callable[[int], Ahead | None],
        receive: Callable[[Sequence[Claimed]], Sequence[Claimed]],
        is_stopping: Callable[[], bool],
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._in_progress = in_progress
        self._ready = ready
        self._prepare = prepare
        self._receive = receive
        self._is_stopping = is_stopping
        self._wait_seconds = wait_seconds
        self._limit = 1  # how many are to be claimed
        self._news: SimpleQueue[Exception | int | None] = SimpleQueue()  # how many jobs there were; None: a stop
        self._over = threading.Event()  # not set: a claim is under way
        self._over.set()

    def send_out(self, limit: int) -> int:
        """Let a thread wait and claim up to `limit` jobs; how many it has claimed. For the fetcher's thread.

        Raises what the other has met, StoreUnavailable for instance.
        """
        self._limit = limit
        if not self._ready.ask_to_watch():
            return 0
        news = self._news.get()
        while news is None:
            news = self._end()
        if isinstance(news, Exception):
            raise news
        return news

    def watch(self) -> Claimed | None:
        """Wait for jobs: the first one, the others are handed out. None: there is none, or the worker stops."""
        try:
            jobs = list(self._claim())
        except Exception as error:  # noqa: BLE001  # the fetcher's thread raises it
            self._news.put(error)
            return None
        found = len(jobs)
        mine = jobs.pop(0) if jobs and not self._is_stopping() else None
        if jobs:
            self._ready.add(jobs)
        self._news.put(found)
        return mine

    def stop(self) -> None:
        """End a wait that is under way. Does not wait for that."""
        self._news.put(None)

    def wait_until_over(self) -> None:
        """Wait until no claim is under way, for twice a wait's time at most."""
        self._over.wait(2 * WAIT_SECONDS)

    def _claim(self) -> Sequence[Claimed]:
        self._over.clear()
        try:
            ahead = self._prepare(self._limit)
            if ahead is None:
                return []
            return self._receive(self._in_progress.claim_on_arrival(ahead, self._wait_seconds))
        finally:
            self._over.set()

    def _end(self) -> Exception | int | None:
        try:
            self._in_progress.end_wait()
        except StoreError as error:
            logger.debug("Could not cancel a wait; it ends by itself: %s", error)
        try:
            return self._news.get(timeout=END_SECONDS)
        except Empty:
            return None
