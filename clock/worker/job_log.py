"""The lines that a worker writes of a job: one when it starts (debug), one when it ends, with what it is about."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from clock.clocks import Clock, from_ms, to_ms
from clock.errors import message_of
from clock.job.payload import Payload

logger = logging.getLogger("clock.job")


def log_start(payload: Payload, queue: str, clock: Clock) -> None:
    """Say that a job starts, and how late after its event's due instant."""
    if logger.isEnabledFor(logging.DEBUG):
        fields = about(payload, queue)
        due = _due_ms(payload)
        if due is not None:
            fields["late_ms"] = to_ms(clock.now()) - due
        logger.debug("%s %s starts", payload["class"], payload.get("jid"), extra=fields)


def log_done(payload: Payload, queue: str, took: float) -> None:
    """Say that a job is done, after `took` seconds.

    The record is made here, as `logger.info` would look up the line of code that calls it, which takes as long as
    all else that the worker does for a short job.
    """
    if logger.isEnabledFor(logging.INFO):
        fields = {**about(payload, queue), "duration_ms": round(took * 1000, 3)}
        words = ("%s %s done in %.3f s", (payload["class"], payload.get("jid"), took), None)
        logger.handle(logger.makeRecord(logger.name, logging.INFO, __file__, 0, *words, "log_done", fields))


def log_failed(payload: Payload, queue: str, took: float, error: BaseException, then: str) -> None:
    """Say that a job failed after `took` seconds, with the traceback, and what becomes of it."""
    logger.error(
        "%s %s failed in %.3f s: %s: %s (%s)",
        payload["class"],
        payload.get("jid"),
        took,
        type(error).__name__,
        message_of(error),
        then,
        exc_info=error,
        extra={**about(payload, queue), "duration_ms": round(took * 1000, 3)},
    )


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
