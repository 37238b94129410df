"""One job from claim to verdict. Whatever it raises, and whatever its payload is, the worker goes on."""

from __future__ import annotations

import logging
import threading
from asyncio import CancelledError
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from clock import forking
from clock.clocks import Clock
from clock.django_connections import renewed_connections, uses_django
from clock.errors import ArgumentsError, Discard, NoPerform, StoreError, StoreUnavailable, UnknownJobClass
from clock.forking import end_child
from clock.job import Context, registry
from clock.job.payload import Payload, decode, encode_again, seconds
from clock.job.push.arguments import check_arity
from clock.job.types import JobClass
from clock.problems import Problems
from clock.store import keys
from clock.store.jobs.in_progress import Claimed, InProgress, Move, day
from clock.worker.coroutines import run_on_loop
from clock.worker.fetcher import Fetcher
from clock.worker.firing_outcomes import FiringOutcomes
from clock.worker.handoff import Slot
from clock.worker.job_log import about, log_done, log_failed, log_start
from clock.worker.retry import MAX_RETRIES, Verdict, judge, noted
from clock.worker.unsettled import Unsettled

RETRY_SECONDS = 1.0  # how often a verdict is tried again while Redis is away

T = TypeVar("T")
logger = logging.getLogger("clock.job")


class UnreadablePayload(Exception):
    """What was in the queue is no job."""


class Processor:
    """The body of one of the worker's threads: takes jobs from the fetcher and runs them."""

    def __init__(
        self,
        slot: Slot,
        fetcher: Fetcher,
        in_progress: InProgress,
        outcomes: FiringOutcomes,
        *,
        clock: Clock,
        max_retries: int = MAX_RETRIES,
        unsettled: Unsettled | None = None,
        problems: Problems | None = None,
    ) -> None:
        self._part = (problems or Problems(clock=clock)).part("finishing jobs")
        self._slot = slot
        self._fetcher = fetcher
        self._in_progress = in_progress
        self._outcomes = outcomes
        self._clock = clock
        self._max_retries = max_retries
        self._unsettled = unsettled or Unsettled(clock)
        self._never = threading.Event()

    def run(self) -> None:
        """Take and run jobs until the fetcher stops."""
        while (claimed := self._fetcher.take(self._slot)) is not None:
            try:
                self.process(claimed)
            except Exception as error:  # a mistake of ours must not cost the worker a thread
                logger.critical("Could not process a job: %s", error, exc_info=error)
                self._bury(claimed, wrapped(claimed), error)

    def process(self, claimed: Claimed) -> None:
        """Run one job, and see it to where it goes next."""
        try:
            payload = parse(claimed.payload)
            job = registry.lookup(str(payload["class"]))
        except UnreadablePayload as error:
            self._bury(claimed, wrapped(claimed), error)
            return
        except UnknownJobClass as error:
            self._park(claimed, payload, error)
            return
        try:
            check_arity(job.wire_name, job.perform, arguments(payload))
        except (ArgumentsError, NoPerform) as error:
            self._bury(claimed, payload, error)
            return
        self._perform(claimed, payload, job)

    def _perform(self, claimed: Claimed, payload: Payload, job: JobClass) -> None:
        suspect = "worker_killed" in payload
        if suspect:
            self._note(lambda: self._in_progress.mark(claimed))
        log_start(payload, claimed.queue, self._clock)
        started = self._clock.monotonic()
        context = Context(payload, self._is_stopping, claimed.queue, self._clock)
        try:
            run(job, context)
        except Discard as reason:
            took = self._clock.monotonic() - started
            words = "%s %s dropped: %s"
            logger.info(words, payload["class"], payload.get("jid"), reason, extra=about(payload, claimed.queue))
            self._outcomes.note(payload, "dropped", took=took, error=reason)
            self._fetcher.finish(self._slot, claimed, took)
        except BaseException as error:  # noqa: BLE001  # sys.exit() in a job must not end the thread either
            if isinstance(error, CancelledError) and claimed not in self._fetcher.held:  # put back, then cut short
                self._fetcher.let_go(self._slot, claimed)
                return
            self._fail(claimed, job, error, self._clock.monotonic() - started)
        else:
            took = self._clock.monotonic() - started
            log_done(payload, claimed.queue, took)
            self._outcomes.note(payload, "done", took=took)
            self._fetcher.finish(self._slot, claimed, took)
        if suspect:
            self._note(lambda: self._in_progress.unmark(claimed))

    def _note(self, command: Callable[[], object]) -> None:
        try:
            self._insist(command)
        except StoreError as error:  # then a death of this worker is not counted against the job
            logger.error("Could not mark a job whose worker died: %s", error)

    def _is_stopping(self) -> bool:
        return self._fetcher.stopping

    def _fail(self, claimed: Claimed, job: JobClass, error: BaseException, took: float) -> None:
        payload = parse(claimed.payload)  # anew: the job may have changed its arguments, a middleware its payload
        now = seconds(self._clock.now())
        verdict = judge(payload, job, error, now=now, max_retries=self._max_retries)
        then = _told(verdict, verdict.score - now)
        log_failed(payload, claimed.queue, took, error, then)
        self._outcomes.note(payload, verdict.where or "dropped", took=took, error=error, retry_at=verdict.score)
        self._set_aside(claimed, verdict.payload, where=verdict.where, score=verdict.score)

    def _bury(self, claimed: Claimed, payload: Payload, error: Exception) -> None:
        words = "%s %s moved to dead: %s"
        logger.error(words, payload["class"], payload.get("jid"), error, extra=about(payload, claimed.queue))
        self._outcomes.note(payload, "dead", took=0, error=error)
        now = seconds(self._clock.now())
        self._set_aside(claimed, noted(payload, error, now=now), where=keys.DEAD, score=now, ran=False)

    def _park(self, claimed: Claimed, payload: Payload, error: UnknownJobClass) -> None:
        logger.warning("Parked a job: %s", error, extra=about(payload, claimed.queue))
        move = Move(claimed, "parked", error.class_name, claimed.payload)
        self._settle(claimed, lambda: self._in_progress.put_back([move]))

    def _set_aside(
        self, claimed: Claimed, payload: Payload, *, where: str, score: float, ran: bool = True
    ) -> None:
        text, today = encode_again(payload), day(self._clock.now())
        self._settle(
            claimed,
            lambda: self._in_progress.set_aside(claimed, text, where=where, score=score, today=today, ran=ran),
        )

    def _settle(self, claimed: Claimed, step: Callable[[], object]) -> None:
        """Send the job where it goes next. A step that Redis refuses is tried again later; the thread goes on."""
        try:
            self._insist(step)
        except StoreError as error:
            self._unsettled.add(partial(self._settled, claimed, step), error)
            self._slot.job = None
        else:
            self._fetcher.let_go(self._slot, claimed)

    def _settled(self, claimed: Claimed, step: Callable[[], object]) -> None:
        step()
        self._fetcher.held.drop(claimed)

    def _insist(self, command: Callable[[], T]) -> T | None:
        """Repeat `command` while Redis is away; if the worker stops first, others find the job in progress.

        Raises StoreError if Redis refuses it.
        """
        while True:
            try:
                result = command()
                self._part.works()
                return result
            except StoreUnavailable as error:
                if self._fetcher.stopping:
                    return None
                self._part.failed(error)
                self._clock.wait(self._never, RETRY_SECONDS)


def run(job: JobClass, context: Context) -> None:
    """Run a job of any kind. A process that it forks ends here. Raises what it raises."""
    before = forking.forks
    try:
        if job.is_coroutine():
            run_on_loop(job.arun(context))
        elif uses_django():
            with renewed_connections():
                job.run(context)
        else:
            job.run(context)
    except BaseException as error:
        if forking.forks != before:
            end_child(error)
        raise
    if forking.forks != before:
        end_child()


def parse(payload: bytes) -> Payload:
    """The payload's JSON object. Raises UnreadablePayload, which says what is wrong."""
    try:
        found = decode(payload)
    except (ValueError, RecursionError) as error:
        raise UnreadablePayload(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UnreadablePayload(f"expected a JSON object, not a {type(found).__name__}")
    name = found.get("class")
    if not isinstance(name, str) or not (name.isascii() or _is_utf8(name)):
        raise UnreadablePayload("it has no class")
    if not isinstance(found.get("args"), list):
        raise UnreadablePayload(f"its args are not a list: {found.get('args')!r:.60}")
    return found


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def arguments(payload: Payload) -> list[object]:
    """The arguments of a payload that `parse` has checked."""
    args = payload["args"]
    return args if isinstance(args, list) else []


def wrapped(claimed: Claimed) -> Payload:
    """A payload that Sidekiq's page can show, with what was in the queue, whatever it was, as its argument."""
    text = claimed.payload.decode(errors="backslashreplace")
    return {"class": "UnreadablePayload", "args": [text], "queue": claimed.queue, "jid": "", "retry": False}


def _told(verdict: Verdict, in_seconds: float) -> str:
    if verdict.where == keys.RETRY:
        number = int(str(verdict.payload["retry_count"])) + 1
        of = f"/{verdict.retries}" if verdict.retries else ""
        return f"retry {number}{of} in {in_seconds:.0f} s"
    return "moved to dead" if verdict.where else f"dropped: {verdict.reason}"
