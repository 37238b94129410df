"""The options of a worker."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from clock.store.jobs.dead import DEFAULT_LIMITS, DeadLimits

MISSED_BEATS = 4  # a worker without so many heartbeats is dead: other workers get its jobs


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue, and its weight: 0 in a strict order."""

    name: str
    weight: int = 0


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Queues, in their order; how many jobs run at once; how long a stop waits for them; the heartbeat's interval.

    `parent_pid` is the launcher's process, without which the worker stops; None without a launcher. `max_retries`
    counts for jobs with `retry = True`; `dead` limits the dead jobs. With `burst` the worker stops when
    its queues are empty. After `max_jobs` jobs, or above `max_memory_mb`, it ends and is replaced; None: no limit.
    """

    queues: Sequence[Queue] = (Queue("default"),)
    concurrency: int = 10
    stop_timeout_seconds: float = 25.0
    beat_seconds: float = 5.0
    parent_pid: int | None = None
    max_retries: int = 25
    dead: DeadLimits = DEFAULT_LIMITS
    burst: bool = False
    max_jobs: int | None = None
    max_memory_mb: int | None = None

    @property
    def expires_seconds(self) -> float:
        """The time without a heartbeat after which a worker counts as dead."""
        return MISSED_BEATS * self.beat_seconds

    @property
    def queue_names(self) -> list[str]:
        """The names of the queues, each once, in the order given."""
        return list(dict.fromkeys(queue.name for queue in self.queues))

    @property
    def watches_all(self) -> bool:
        """Whether an idle worker waits on all queues."""
        return len(self.queue_names) <= self._most_watched

    def watched(self, latest: str) -> list[str]:
        """The queues that an idle worker waits on; `latest` comes first, as its next job is likely."""
        return list(dict.fromkeys((latest, *self.queue_names)))[: self._most_watched]

    @property
    def _most_watched(self) -> int:
        """Each takes a thread and a connection."""
        return max(1, self.concurrency // 2)

    def order(self) -> list[str]:
        """The order in which queues are checked this time.

        It is the given order if no queue has a weight. Else it is drawn: a queue of weight 4 comes first four
        times as often as a queue of weight 1. One weight makes the whole set weighted, as in Sidekiq.
        """
        if not any(queue.weight for queue in self.queues):
            return self.queue_names
        drawn = [(random.random() ** (1 / max(queue.weight, 1)), queue.name) for queue in self.queues]  # noqa: S311  # no secret
        return list(dict.fromkeys(name for _, name in sorted(drawn, reverse=True)))
