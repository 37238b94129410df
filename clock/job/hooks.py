"""What a job class itself says when its job fails. Where a hook raises, it is logged and the usual rule counts.

A hook is shown a copy of the payload: what it does to it cannot keep the job from being stored.
"""

from __future__ import annotations

import logging
from copy import deepcopy
from typing import Literal

from clock.errors import message_of
from clock.forking import child_ends_here
from clock.job.context import Context
from clock.job.options import in_seconds
from clock.job.payload import Payload
from clock.job.types import JobClass
from clock.log import JobLogContext

FOREVER_SECONDS = 100 * 365 * 86400.0  # no score of a later retry is a time

logger = logging.getLogger("clock.job")


def ask_retry_in(
    job: JobClass, payload: Payload, count: int, error: BaseException
) -> float | Literal["kill", "discard"] | None:
    """What the class's `retry_in` says to failure number `count` (from 0); None: nothing that can be used."""
    try:
        with child_ends_here(), JobLogContext(payload):
            answer: object = job.for_context(Context(deepcopy(payload))).retry_in(count, error)
    except BaseException as second:  # noqa: BLE001  # whatever a hook of the user's raises, sys.exit() too
        _log_failed(f"{job.wire_name}.retry_in", second)
        return None
    if answer == "kill" or answer == "discard":
        return answer
    seconds = in_seconds(answer)
    if answer is not None and (seconds is None or not 0 <= seconds < FOREVER_SECONDS):
        logger.error(
            "%s.retry_in returned %.60r; it must be seconds, 'kill', 'discard' or None",
            job.wire_name,
            answer,
        )
        return None
    return seconds


def tell_exhausted(job: JobClass, payload: Payload, error: BaseException) -> bool:
    """Call the class's `retries_exhausted`; True: it wants the job dropped."""
    try:
        shown = deepcopy(payload)
        with child_ends_here(), JobLogContext(payload):
            return job.for_context(Context(shown)).retries_exhausted(shown, error) == "discard"
    except BaseException as second:  # noqa: BLE001  # the same
        _log_failed(f"{job.wire_name}.retries_exhausted", second)
        return False


def _log_failed(hook: str, error: BaseException) -> None:
    logger.error("%s failed: %s: %s", hook, type(error).__name__, message_of(error), exc_info=error)
