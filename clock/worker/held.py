"""The jobs that a worker has claimed, and that are neither done nor gone elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from clock.errors import StoreError
from clock.store.jobs.in_progress import CannotMove, Claimed, InProgress, Move


class Held:
    """The jobs of one worker, by number. Threads add and drop while others look: each step is one of `dict`."""

    def __init__(self, in_progress: InProgress) -> None:
        self._in_progress = in_progress
        self._jobs: dict[int, Claimed] = {}

    def __contains__(self, job: Claimed) -> bool:
        return job.number in self._jobs

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._jobs))

    def add(self, jobs: Iterable[Claimed]) -> None:
        """Note jobs that were claimed."""
        self._jobs.update({job.number: job for job in jobs})

    def drop(self, job: Claimed) -> None:
        """Note that the job is done, or has gone elsewhere."""
        self._jobs.pop(job.number, None)

    def give_back(self, jobs: Sequence[Claimed]) -> None:
        """Put jobs back at the front of their queues, the first one to be taken next.

        Raises CannotMove for those whose queue is no list, after the others have been put back; StoreUnavailable.
        """
        stay: set[int] = set()
        try:
            self._in_progress.put_back(Move(job, "queue", job.queue, job.payload) for job in reversed(jobs))
        except CannotMove as error:
            stay = {move.job.number for move in error.moves}
            raise
        except StoreError:
            stay = {job.number for job in jobs}
            raise
        finally:
            for job in jobs:
                if job.number not in stay:
                    self.drop(job)
