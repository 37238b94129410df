"""Long lists of jobs in short steps: Redis does nothing else while a script runs, so each step is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

STEP_JOBS = 200  # jobs in one script call: a ms or two of Redis's time
STEP_BYTES = 1_000_000  # and so many bytes of payloads, unless a single job has more: also a few ms

T = TypeVar("T")


def in_steps(jobs: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """The jobs in their order, as many at a time as one script call may handle; `size` is a job's bytes.

    >>> list(in_steps([b"ab", b"c"], len))
    [[b'ab', b'c']]
    """
    step: list[T] = []
    weight = 0
    for job in jobs:
        weight += size(job)
        if step and (weight > STEP_BYTES or len(step) >= STEP_JOBS):
            yield step
            step, weight = [], size(job)
        step.append(job)
    if step:
        yield step


class PageSize:
    """How many jobs to read at once: few at first, then as many as have about `STEP_BYTES` like those read last.

    Redis does not give the size of a job before it is read.
    """

    def __init__(self, most: int = STEP_JOBS) -> None:
        self._most = most
        self.jobs = min(most, 16)

    def note(self, page: Iterable[bytes]) -> None:
        """Learn from the jobs of a page that was read."""
        sizes = [len(job) for job in page]
        if sizes:
            fits = STEP_BYTES // (max(sizes) or 1)
            self.jobs = max(1, min(self._most, 4 * self.jobs, fits))
