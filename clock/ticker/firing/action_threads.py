"""Actions declared with `thread=True` run in parallel; the outcomes of each event keep their order."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from clock.ticker.firing.decisions import Outcome
from clock.ticker.planning.catch_up import Due, Missed
from clock.timetable import Event

logger = logging.getLogger("clock.clock")


@dataclass(frozen=True, slots=True)
class _Started:
    event: Event
    about: Due | Missed
    future: Future[Outcome | None]


class ActionThreads:
    """Runs at most `max_threads` actions at once. `on_finish` is called on the action's thread."""

    def __init__(self, max_threads: int, on_finish: Callable[[], object]) -> None:
        self._max_threads = max_threads
        self._on_finish = on_finish
        self._pool = ThreadPoolExecutor(max_threads, "action")
        self._started: dict[str, deque[_Started]] = {}

    def start(self, event: Event, due: Due, run: Callable[[], Outcome]) -> None:
        """Run `run` on a thread as soon as one is free."""
        busy = sum(not item.future.done() for queue in self._started.values() for item in queue)
        if busy >= self._max_threads:
            logger.warning("Threads exhausted (max_threads=%d): %r is waiting", self._max_threads, event.name)
        future: Future[Outcome | None] = self._pool.submit(run)
        self._append(_Started(event, due, future))
        future.add_done_callback(lambda _: self._on_finish())

    def add_decided(self, event: Event, about: Due | Missed, outcome: Outcome | None = None) -> None:
        """Add due instants that do not fire; they are returned by `take` in their turn."""
        future: Future[Outcome | None] = Future()
        future.set_result(outcome)
        self._append(_Started(event, about, future))

    def count_running(self, event: str) -> int:
        """The number of the event's actions that run or wait for a thread."""
        return sum(not item.future.done() for item in self._started.get(event, ()))

    def _append(self, item: _Started) -> None:
        self._started.setdefault(item.event.name, deque()).append(item)

    def take(self) -> Iterator[tuple[Event, Due | Missed, Outcome | None]]:
        """Return outcomes that can be committed: no earlier action of the same event is still running."""
        for name, queue in list(self._started.items()):
            while queue and queue[0].future.done() and not queue[0].future.cancelled():
                item = queue.popleft()
                yield item.event, item.about, item.future.result()
            if not queue:
                del self._started[name]

    def latest_started(self, event: str) -> Due | Missed | None:
        """The event's latest due instant that was added and is not returned yet."""
        queue = self._started.get(event)
        return queue[-1].about if queue else None

    def stop(self, timeout_seconds: float) -> bool:
        """Wait for running actions; those not started stay undecided. False: some are still running."""
        futures = [item.future for queue in self._started.values() for item in queue]
        running = [future for future in futures if not future.cancel()]
        _, late = wait(running, timeout_seconds)
        if late:
            logger.warning("Abandoned %d actions still running after %g s", len(late), timeout_seconds)
        self._pool.shutdown(wait=False)
        return not late
