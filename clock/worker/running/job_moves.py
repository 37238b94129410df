"""Moves jobs in progress to their next place: `retry`, `dead`, or the parked jobs of their class.

While Redis is away, the job's thread repeats the step. A step that Redis refuses for good (a key of a wrong type)
is tried again with each heartbeat: the job stays in progress, and its thread goes on with other jobs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from clock.clocks import Clock
from clock.errors import StoreError, StoreUnavailable
from clock.job.payload import Payload, decode, encode_again
from clock.problems import Problems
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Claimed, Move
from clock.store.jobs.results import NOTHING_ELSE, Ending
from clock.store.ledger.held_pushes import Push
from clock.worker.fetching.claims import Claims

RETRY_SECONDS = 1.0  # how often a step is repeated while Redis is away

T = TypeVar("T")
logger = logging.getLogger("clock.job")


class JobMoves:
    """The moves of one worker's jobs. Its methods may be called from any thread."""

    def __init__(
        self, in_progress: InProgress, claims: Claims, *, clock: Clock, problems: Problems | None = None
    ) -> None:
        problems = problems or Problems(clock=clock)
        self._moving = problems.part("finishing jobs")
        self._refused = problems.part("next steps of jobs in progress")
        self._in_progress = in_progress
        self._claims = claims
        self._clock = clock
        self._never = threading.Event()
        self._lock = threading.Lock()
        self._left: list[tuple[Claimed, Callable[[], object]]] = []  # guarded by _lock; refused steps

    def set_aside(
        self,
        job: Claimed,
        payload: Payload,
        *,
        where: str,
        score: float,
        ran: bool = True,
        ending: Ending = NOTHING_ELSE,
    ) -> None:
        """Move a job to `retry` or `dead`, or drop it (`where` is empty); `ran`: it counts as processed.

        `ending`: what else is written if it has ended.
        """
        move = partial(self._in_progress.set_aside, job, encode_again(payload), where=where, score=score, ran=ran)
        self._settle(job, partial(move, now=self._clock.now(), ending=ending))

    def finish_with(self, job: Claimed, ending: Ending) -> None:
        """Acknowledge a job that is done or dropped, with all that its end causes."""
        self._settle(job, partial(self._in_progress.finish, job, ending, now=self._clock.now()))

    def hold_rates(self, jid: str, names: Sequence[str], seconds: float) -> float:
        """Hold back the jobs of these rates for so long; when that is over, in float seconds since 1970."""
        now = self._clock.now()
        held_until = self._note(partial(self._in_progress.hold_rates, jid, names, seconds, now=now))
        return now.timestamp() + seconds if held_until is None else held_until

    def begin_unique(self, job: Claimed, lock: tuple[str, str], *, until_start: bool) -> bool:
        """Start a unique job; False: a newer push has replaced it."""
        step = partial(self._in_progress.begin_unique, job, lock, until_start=until_start)
        return self._note(step) is not False

    @property
    def some_are_cancelled(self) -> bool:
        """Whether there were cancelled jobs at the last claim."""
        return self._in_progress.some_are_cancelled

    def is_cancelled(self, jid: str) -> bool:
        """Whether a job was cancelled before it starts. Worth a round trip only if `some_are_cancelled`."""
        return bool(self._note(lambda: self._in_progress.is_cancelled(jid, now=self._clock.now())))

    def forget_cancellation(self, jid: str) -> None:
        """Remove the mark of a job that has ended."""
        self._note(partial(self._in_progress.forget_cancellation, jid))

    def park(self, job: Claimed, class_name: str) -> None:
        """Keep a job of an unknown class for a worker that has the class."""
        self._settle(job, partial(self._in_progress.put_back, [Move(job, "parked", class_name, job.payload)]))

    def hand_back(self, job: Claimed, payload: Payload) -> None:
        """Put a job that has ended early at the front of its queue, with the notes in its payload."""
        move = Move(job, "queue", job.queue, encode_again(payload))
        self._settle(job, partial(self._in_progress.put_back, [move]))

    def save(self, job: Claimed, fields: Mapping[str, object], pushes: Sequence[Push]) -> bool:
        """Save fields in the payload of a running job, and push jobs; False: other workers have the job now.

        Waits while Redis is away. Raises StoreError if Redis refuses it.
        """
        payload = decode(job.payload)
        assert isinstance(payload, dict)  # noqa: S101  # a job that runs
        text = encode_again({**payload, **fields})
        return bool(
            self._insist(lambda: self._in_progress.save_position(job, text, pushes, now=self._clock.now()))
        )

    def mark(self, job: Claimed) -> None:
        """Note that a job with which a worker has died before runs now."""
        self._note(partial(self._in_progress.mark, job))

    def unmark(self, job: Claimed) -> None:
        """Take that note back."""
        self._note(partial(self._in_progress.unmark, job))

    def retry_refused(self) -> None:
        """Try the steps again that Redis has refused, and keep those that it still refuses."""
        with self._lock:
            steps, self._left = self._left, []
        for job, step in steps:
            try:
                step()
                self._claims.drop([job])
            except StoreError as error:
                self._keep(job, step, error)
        if steps and not self._left:
            self._refused.works()

    def _settle(self, job: Claimed, step: Callable[[], object]) -> None:
        try:
            self._insist(step)
        except StoreError as error:
            self._keep(job, step, error)
        else:
            self._claims.drop([job])

    def _keep(self, job: Claimed, step: Callable[[], object], error: StoreError) -> None:
        self._refused.failed(error)
        with self._lock:
            self._left.append((job, step))

    def _note(self, command: Callable[[], T]) -> T | None:
        try:
            return self._insist(command)
        except StoreError as error:  # then a death of this worker is not counted against the job
            logger.error("Could not read or write the mark of a job: %s", error)
            return None

    def _insist(self, step: Callable[[], T]) -> T | None:
        """Repeat `step` while Redis is away. None: the worker stops first, and others find the job in progress.

        Raises StoreError if Redis refuses it.
        """
        while True:
            try:
                answer = step()
                self._moving.works()
                return answer
            except StoreUnavailable as error:
                if self._claims.stopped.is_set():
                    return None
                self._moving.failed(error)
                self._clock.wait(self._never, RETRY_SECONDS)
