"""The reports of a run: its lines in the log (start: debug, end), and its outcome in the history of its event."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from clock.clocks import Clock, from_ms, to_ms, unix_seconds
from clock.errors import StoreError, StoreUnavailable, message_of
from clock.job.context import JobRun, job_logger
from clock.job.payload import Payload
from clock.log import write_info
from clock.problems import Problems
from clock.store import Redis
from clock.store.ledger import history

logger = logging.getLogger("clock.worker")

SHORT_SECONDS = 0.001  # for shorter jobs, a system call for each line would cost as much as the job


def log_start(payload: Payload, queue: str, clock: Clock) -> None:
    """Log that a job starts, and how late after its event's due instant."""
    logger = job_logger(payload)
    if logger.isEnabledFor(logging.DEBUG):
        fields = about(payload, queue)
        due = _due_ms(payload)
        if due is not None:
            fields["late_ms"] = to_ms(clock.now()) - due
        logger.debug("%s %s starts", payload["class"], payload.get("jid"), extra=fields)


def log_early_end(payload: Payload, queue: str, why: str) -> None:
    """Log that a run has ended before its work, and that the job continues later."""
    words = (payload["class"], payload.get("jid"), why)
    logger = job_logger(payload)
    logger.info("%s %s interrupted: %s; it continues later", *words, extra=about(payload, queue))


def log_run(run: JobRun) -> None:
    """Log that a job is done, was dropped, failed (with the traceback) or is unfit, and the next step."""
    if run.outcome == "done":
        _log_done(run)
        return
    payload, error = run.payload, run.error
    logger = job_logger(payload)
    named = (payload["class"], payload.get("jid"))
    fields = about(payload, run.queue)
    if run.outcome == "dropped":
        logger.info("%s %s dropped: %s", *named, error, extra=fields)
    elif run.outcome == "unfit":
        logger.error("%s %s moved to dead: %s", *named, error, extra=fields)
    else:
        words = "%s %s failed in %.3f s: %s: %s (%s)"
        what = (type(error).__name__, message_of(error) if error else "", run.then)
        fields["duration_ms"] = round(run.seconds * 1000, 3)
        logger.error(words, *named, run.seconds, *what, exc_info=error, extra=fields)


def _log_done(run: JobRun) -> None:
    """Log that a job is done. Its line costs more than all the rest of a short job. So a record is made only
    if a handler needs it, and made here: `logger.info` would look up the calling line.
    """
    logger = job_logger(run.payload)
    if not logger.isEnabledFor(logging.INFO):
        return
    name, jid, took = run.payload["class"], run.payload.get("jid"), run.seconds
    line, at_once = f"{name} {jid} done in {took:.3f} s", took >= SHORT_SECONDS
    if not write_info(logger, line, unix_seconds(), at_once=at_once):
        fields = {**about(run.payload, run.queue), "duration_ms": round(took * 1000, 3)}
        words = ("%s %s done in %.3f s", (name, jid, took), None)
        logger.handle(logger.makeRecord(logger.name, logging.INFO, __file__, 0, *words, "log_run", fields))


def record_outcome(redis: Redis, clock: Clock, problems: Problems, run: JobRun) -> None:
    """Record a run of a job that an event pushed in the event's history, and ignore other jobs.

    The outcome is `done`, `dropped` (with `failed` if it failed), `dead`, or `retry` with the time of the retry.
    """
    firing, jid = run.payload.get("clock"), run.payload.get("jid")
    event = firing.get("event") if isinstance(firing, dict) else None
    if not isinstance(event, str) or not isinstance(jid, str):
        return
    outcome = "done" if run.outcome == "done" else run.goes_to or "dropped"
    record: dict[str, object] = {
        "outcome": outcome,
        "at": to_ms(clock.now()),
        "took_ms": round(run.seconds * 1000),
    }
    if run.error is not None:
        record["error"] = f"{type(run.error).__name__}: {message_of(run.error)}"[:500]
    if run.outcome == "failed" and outcome == "dropped":
        record["failed"] = True
    ended = outcome != "retry"
    if not ended:
        record["retry_at"] = round(run.retry_at * 1000)
    try:
        history.add_outcome(redis, event, jid, record, ended=ended, retry_at=run.retry_at)
    except (StoreUnavailable, UnicodeEncodeError) as reason:  # away; a name that is not text
        logger.debug("The history of %r lacks an outcome: %s", event, reason)
    except StoreError as reason:  # a key of a wrong type
        problems.entry("The history of %r lacks outcomes: %s", event, reason)


def about(payload: Payload, queue: str) -> dict[str, object]:
    """The fields of a line about a job: its class, jid and queue, and the event and due instant that pushed it."""
    fields: dict[str, object] = {"job": payload["class"], "jid": payload.get("jid"), "queue": queue}
    firing = payload.get("clock")
    if isinstance(firing, Mapping):
        fields["event"] = firing.get("event")
        due = _due_ms(payload)
        fields["due"] = None if due is None else from_ms(due).isoformat()
    return fields


def _due_ms(payload: Payload) -> int | None:
    firing = payload.get("clock")
    due = firing.get("due") if isinstance(firing, Mapping) else None
    return due if isinstance(due, int) else None
