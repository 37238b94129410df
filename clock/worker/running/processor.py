"""One job from claim to verdict. The worker continues after any error and any payload."""

from __future__ import annotations

import asyncio
import logging
from asyncio import CancelledError
from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import cast

from msgspec.structs import replace

from clock import forking, worker_hooks
from clock.clocks import Clock
from clock.django_connections import renewed_connections, uses_django
from clock.errors import (
    ArgumentsError,
    Discard,
    EncryptionKeyMissing,
    JobCancelled,
    NoPerform,
    RateLimited,
    UndecryptableArgument,
    UnknownJobClass,
    message_of,
)
from clock.forking import end_child
from clock.job import Context, registry
from clock.job.context import JobClass, JobRun, RunListener, RunState
from clock.job.encryption import PARKED_UNDER, decrypted_args
from clock.job.flow.limits import rate_names
from clock.job.flow.unique import lock_pair, unique_field
from clock.job.middleware.metrics import METRICS
from clock.job.payload import Payload, decode, seconds
from clock.job.push.arguments import check_arity
from clock.job.results import Status, keeps_result, kept_error, kept_value
from clock.log import JobLogContext, write_gathered_lines
from clock.printable import is_utf8
from clock.store import keys
from clock.store.jobs.moves import Claimed
from clock.store.jobs.results import HAS_FOLLOWERS, NOTHING_ELSE, Ending
from clock.worker.fetching.fetcher import Fetcher
from clock.worker.fetching.handoff import Slot
from clock.worker.running.coroutines import run_on_loop
from clock.worker.running.job_log import about, log_early_end, log_run, log_start
from clock.worker.running.job_moves import JobMoves
from clock.worker.running.retry import MAX_RETRIES, judge, noted

logger = logging.getLogger("clock.job")


class UnreadablePayload(Exception):
    """The entry of the queue is not a job."""


class Processor:
    """The body of a worker's thread: runs jobs. Each run goes to the log and to the `listeners`."""

    def __init__(
        self,
        slot: Slot,
        fetcher: Fetcher,
        moves: JobMoves,
        *,
        clock: Clock,
        listeners: Sequence[RunListener] = (),
        max_retries: int = MAX_RETRIES,
    ) -> None:
        self._slot = slot
        self._fetcher = fetcher
        self._moves = moves
        self._clock = clock
        self._listeners = (log_run, *listeners)
        self._max_retries = max_retries
        self._is_stopping = fetcher.claims.stopped.is_set

    def run(self) -> None:
        """Take and run jobs until the fetcher stops."""
        while (claimed := self._fetcher.take(self._slot)) is not None:
            try:
                self.process(claimed)
            except BaseException as error:  # a worker without a thread would run no job, unnoticed
                logger.critical("Could not process a job: %s", message_of(error), exc_info=error)
                self._bury(claimed, readable(claimed), error)
                self._fetcher.free(self._slot)

    def process(self, claimed: Claimed) -> None:
        """Run one job, and move it to its next place."""
        self._handle(claimed)
        if self._slot.job is not None:  # it was not acknowledged: it has gone elsewhere
            self._fetcher.free(self._slot)

    def _handle(self, claimed: Claimed) -> None:
        try:
            payload = parse(claimed.payload)
        except UnreadablePayload as error:
            self._bury(claimed, wrapped(claimed), error)
            return
        if self._moves.some_are_cancelled and self._moves.is_cancelled(str(payload.get("jid"))):
            self._cancel(claimed, payload, 0.0)
            return
        if "unique" in payload and not self._begin_unique(claimed, payload):
            return
        try:
            job = registry.lookup(str(payload["class"]))
            check_arity(job.wire_name, job.perform, cast("list[object]", payload["args"]))
            decrypted = decrypted_args(payload) if "encrypt" in payload else None
        except UnknownJobClass as error:
            self._park(claimed, payload, error, error.class_name)
        except EncryptionKeyMissing as error:
            self._park(claimed, payload, error, PARKED_UNDER + error.key_id)
        except (ArgumentsError, NoPerform, UndecryptableArgument) as error:
            self._bury(claimed, payload, error)
        else:
            self._perform(claimed, payload, job, decrypted)

    def _perform(self, claimed: Claimed, payload: Payload, job: JobClass, decrypted: list[object] | None) -> None:
        suspect = "worker_killed" in payload
        if suspect:
            self._moves.mark(claimed)
        log_start(payload, claimed.queue, self._clock)
        started = self._clock.monotonic()
        state = RunState(partial(self._moves.save, claimed), started, str(payload.get("jid")))
        self._slot.state = state
        error = run(job, Context(payload, self._is_stopping, claimed.queue, self._clock, state, decrypted))
        took = self._clock.monotonic() - started
        if error is None and state.ended_early:
            self._end_early(claimed, state)
        elif error is None or isinstance(error, Discard):
            self._report(JobRun(payload, claimed.queue, "dropped" if error else "done", took, error))
            self._acknowledge(claimed, payload, state, took, error)
        elif state.cancelled:
            self._cancel(claimed, payload, took)
        elif isinstance(error, RateLimited):
            self._hold_back(claimed, payload, error, state)
        elif isinstance(error, CancelledError) and claimed not in self._fetcher.claims:  # put back, then cut short
            return
        else:
            self._fail(claimed, job, JobRun(payload, claimed.queue, "failed", took, error), error, state)
        if suspect:
            self._moves.unmark(claimed)

    def _acknowledge(
        self, claimed: Claimed, payload: Payload, state: RunState, took: float, error: Discard | None
    ) -> None:
        if error and ("bid" in payload or keeps_result(payload)):
            write_gathered_lines()
            self._moves.finish_with(claimed, _ending(payload, "dropped", error))
        elif keeps_result(payload):
            write_gathered_lines()
            kept = kept_value(payload, state.result)
            self._moves.finish_with(claimed, Ending(kept, lock_pair(payload), "done"))
        else:
            self._fetcher.finish(self._slot, claimed, took, frees_of(payload, is_done=error is None))
        if state.cancelled:
            self._moves.forget_cancellation(str(payload.get("jid")))

    def _cancel(self, claimed: Claimed, payload: Payload, took: float) -> None:
        METRICS.note_cancelled(str(payload["class"]))
        self._remove(claimed, payload, "cancelled", JobCancelled(), took)
        self._moves.forget_cancellation(str(payload.get("jid")))

    def _remove(
        self, claimed: Claimed, payload: Payload, status: Status, why: BaseException, took: float = 0.0
    ) -> None:
        self._report(JobRun(payload, claimed.queue, "dropped", took, why))
        ending = _ending(payload, status, None)
        self._moves.set_aside(claimed, payload, where="", score=0.0, ran=False, ending=ending)

    def _begin_unique(self, claimed: Claimed, payload: Payload) -> bool:
        """Start a unique job; False: a newer push has replaced it, and it was removed."""
        field = unique_field(payload)
        if field is None or not (field.until == "start" or field.conflict == "replace"):
            return True
        pair = (field.key, str(payload.get("jid")))
        if self._moves.begin_unique(claimed, pair, until_start=field.until == "start"):
            return True
        self._remove(claimed, payload, "dropped", Discard("a newer push has replaced it"))
        return False

    def _end_early(self, claimed: Claimed, state: RunState) -> None:
        """Keep a job whose run has ended before its work for another run. It does not count as an attempt."""
        payload = {**parse(claimed.payload), **state.fields}
        if state.ended_early == "stopped":
            log_early_end(payload, claimed.queue, "the worker stops")
            self._moves.hand_back(claimed, payload)
        elif state.ended_early == "released":
            log_early_end(payload, claimed.queue, "its max_run_time is over")
            now = seconds(self._clock.now())
            self._moves.set_aside(claimed, payload, where=keys.SCHEDULE, score=now, ran=False)

    def _hold_back(self, claimed: Claimed, payload: Payload, error: RateLimited, state: RunState) -> None:
        """Hold back the job's rates, and keep the job for the time after. It does not count as an attempt."""
        names = [error.name] if error.name else rate_names(payload)
        held = f"it is held back for {error.seconds:g} s"
        log_early_end(payload, claimed.queue, f"{held}, and all jobs of {', '.join(names)}" if names else held)
        score = self._moves.hold_rates(str(payload.get("jid")), names, error.seconds)
        kept = {**parse(claimed.payload), **state.fields}
        self._moves.set_aside(claimed, kept, where=keys.SCHEDULE, score=score, ran=False)

    def _fail(
        self, claimed: Claimed, job: JobClass, failed: JobRun, error: BaseException, state: RunState
    ) -> None:
        # Read again: the job may have changed its arguments, a middleware its payload.
        payload = {**parse(claimed.payload), **state.fields}
        now = seconds(self._clock.now())
        verdict = judge(payload, job, error, now=now, max_retries=self._max_retries)
        self._report(
            replace(
                failed, payload=payload, goes_to=verdict.where, retry_at=verdict.score, then=verdict.words(now)
            )
        )
        _report_error(error, "Job raised exception", payload, claimed.queue)
        ending = NOTHING_ELSE
        if verdict.where != keys.RETRY:
            ending = _ending(payload, "failed" if verdict.where else "dropped", error)
        self._moves.set_aside(claimed, verdict.payload, where=verdict.where, score=verdict.score, ending=ending)
        if verdict.where != keys.RETRY:
            dropped_at = {} if verdict.where else {"discarded_at": int(now * 1000)}  # as in Sidekiq
            _died({**verdict.payload, **dropped_at}, error)

    def _park(self, claimed: Claimed, payload: Payload, error: Exception, name: str) -> None:
        """Keep a job for a worker that has the class, or the key, of that name."""
        logger.warning("Parked a job: %s", error, extra=about(payload, claimed.queue))
        what = "Unknown job class" if isinstance(error, UnknownJobClass) else "Missing encryption key"
        _report_error(error, what, payload, claimed.queue)
        self._moves.park(claimed, name)

    def _bury(self, claimed: Claimed, payload: Payload, error: BaseException) -> None:
        self._report(JobRun(payload, claimed.queue, "unfit", error=error, goes_to=keys.DEAD))
        now = seconds(self._clock.now())
        dead = noted(payload, error, now=now)
        _report_error(error, "Job cannot be run", payload, claimed.queue)
        ending = _ending(payload, "failed", error)
        self._moves.set_aside(claimed, dead, where=keys.DEAD, score=now, ran=False, ending=ending)
        _died(dead, error)

    def _report(self, ended: JobRun) -> None:
        for listener in self._listeners:
            try:
                listener(ended)
            except BaseException as error:  # the job has run: nothing may change its next step
                logger.critical("Could not report a job's run: %s", message_of(error), exc_info=error)


def _ending(payload: Payload, status: Status, error: BaseException | None) -> Ending:
    """The end of a job that has no value."""
    kept = kept_error(payload, status, error) if keeps_result(payload) else None
    return Ending(kept, lock_pair(payload), "dead" if status == "failed" else status)


def frees_of(payload: Payload, *, is_done: bool) -> Sequence[tuple[str, str]]:
    """The locks that an acknowledgement frees, and `HAS_FOLLOWERS` if the job's end may push other jobs."""
    if payload.keys().isdisjoint(("unique", "bid", "then")):
        return ()
    pairs = [lock_pair(payload)]
    if is_done and ("bid" in payload or "then" in payload):
        pairs.append(HAS_FOLLOWERS)
    return [pair for pair in pairs if pair is not None]


def _report_error(error: BaseException, what: str, payload: Payload, queue: str) -> None:
    """Call the application's error handlers, with Sidekiq's keys."""
    if worker_hooks.has_error_handlers():
        context: dict[str, object] = {"context": what, "job": deepcopy(payload), "queue": queue}
        if isinstance(error, UnreadablePayload):
            [text] = cast("list[object]", payload["args"])  # of `wrapped`
            context = {"context": "Invalid JSON for job", "jobstr": text, "queue": queue}
        with JobLogContext(payload):
            worker_hooks.report(error, context)


def _died(payload: Payload, error: BaseException) -> None:
    if worker_hooks.has_death_handlers():
        with JobLogContext(payload):
            worker_hooks.died(deepcopy(payload), error)


def run(job: JobClass, context: Context) -> BaseException | None:
    """Run a job of any kind; its error, even SystemExit. A process that it forks ends here."""
    before = forking.forks
    try:
        if job.is_coroutine():
            run_on_loop(_awaited(job, context))
        elif uses_django():
            with renewed_connections():
                context.state.result = job.run(context)
        else:
            context.state.result = job.run(context)
    except BaseException as error:  # noqa: BLE001  # it must not end the thread
        if forking.forks != before:
            end_child(error)  # pragma: no cover  # in a forked child, which coverage does not trace here
        return error
    if forking.forks != before:
        end_child()  # pragma: no cover  # in a forked child, which coverage does not trace here
    return None


async def _awaited(job: JobClass, context: Context) -> None:
    """Run a coroutine job that can be cancelled from another thread."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    if task is not None:  # pragma: no branch  # a coroutine on a loop has a task
        context.state.on_cancel = partial(loop.call_soon_threadsafe, task.cancel)
    context.state.result = await job.arun(context)


def parse(payload: bytes) -> Payload:
    """The payload's JSON object. Raises UnreadablePayload with the fault."""
    try:
        found = decode(payload)
    except (ValueError, RecursionError) as error:
        raise UnreadablePayload(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UnreadablePayload(f"expected a JSON object, not a {type(found).__name__}")
    name = found.get("class")
    if not isinstance(name, str) or not name or not (name.isascii() or is_utf8(name)):
        raise UnreadablePayload("it has no class")
    if not isinstance(found.get("args"), list):
        raise UnreadablePayload(f"its args are not a list: {found.get('args')!r:.60}")
    return found


def readable(claimed: Claimed) -> Payload:
    """The payload of a job, or a payload around it if it is invalid."""
    try:
        return parse(claimed.payload)
    except UnreadablePayload:
        return wrapped(claimed)


def wrapped(claimed: Claimed) -> Payload:
    """A payload that Sidekiq's page can show, with the entry of the queue as its argument."""
    text = claimed.payload.decode(errors="backslashreplace")
    return {"class": "UnreadablePayload", "args": [text], "queue": claimed.queue, "jid": "", "retry": False}
