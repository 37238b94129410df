"""The fate of a failed job: it is retried later, moved to the dead jobs, or dropped.

Sidekiq's rules (`job_retry.rb`): 25 retries unless the job has another number, after count**4 + 15 seconds and
some jitter, about 20 days in all. If a hook (`retry_in`, `retries_exhausted`) raises, the error is logged and
these rules apply. A hook gets a copy of the payload, so its changes cannot prevent the job from being stored.
"""

from __future__ import annotations

import base64
import json
import logging
import random
import traceback
import zlib
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Literal

from clock.errors import described, message_of
from clock.forking import child_ends_here
from clock.job.context import Context, JobClass, RunningJob
from clock.job.payload import Payload, in_seconds, instant
from clock.log import JobLogContext
from clock.store import keys

MAX_RETRIES = 25
FOREVER_SECONDS = 100 * 365 * 86400.0  # a retry after more than 100 years is a mistake

logger = logging.getLogger("clock.job")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The new place of a failed job (`retry`, `dead`, or '' for dropped), its score and its payload.

    `reason` is why it is dropped. `retries`: how many in all; None: as many as fit in its `retry_for`.
    """

    where: str
    score: float
    payload: Payload
    reason: str = ""
    retries: int | None = None

    def words(self, now: float) -> str:
        """The next step of the job, for the log; `now` is in float seconds since 1970."""
        if self.where == keys.RETRY:
            number = int(str(self.payload["retry_count"])) + 1
            of = f"/{self.retries}" if self.retries else ""
            return f"retry {number}{of} in {self.score - now:.0f} s"
        return "moved to dead" if self.where else f"dropped: {self.reason}"


def judge(
    payload: Mapping[str, object],
    job: JobClass | None,
    error: BaseException,
    *,
    now: float,
    max_retries: int = MAX_RETRIES,
) -> Verdict:
    """Decide about a job that raised `error` at `now` (float seconds since 1970).

    The payload's own `retry`, `retry_for`, `dead` and `backtrace` have priority over the class's options.
    """
    failed = noted(payload, error, now=now, backtrace=_option(payload, job, "backtrace", False))
    retry = _option(payload, job, "retry", True)
    if retry is False:
        return Verdict("", now, failed, "retry = False")
    count = int(str(failed["retry_count"]))
    most = retry if isinstance(retry, int) and not isinstance(retry, bool) else max_retries
    retry_for = _option(payload, job, "retry_for", None)
    if _may_retry(failed, most, retry_for, count, now):
        answer = ask_retry_in(job, failed, count, error) if job else None
        if answer == "discard":
            return Verdict("", now, failed, "its retry_in returned 'discard'")
        if answer != "kill":
            failed["queue"] = payload.get("retry_queue") or payload.get("queue") or "default"
            retries = None if isinstance(retry_for, (int, float)) else most
            return Verdict(keys.RETRY, now + delay(count, answer), failed, retries=retries)
    hook = "retries_exhausted"
    if job and _answer(job, hook, failed, lambda job, shown: job.retries_exhausted(shown, error)) == "discard":
        return Verdict("", now, failed, "its retries_exhausted returned 'discard'")
    if _option(payload, job, "dead", True) is False:
        return Verdict("", now, failed, "no retries left, and dead = False")
    return Verdict(keys.DEAD, now, failed)


def noted(
    payload: Mapping[str, object], error: BaseException, *, now: float, backtrace: object = False
) -> Payload:
    """The payload with the failure in Sidekiq's fields."""
    failed = dict(payload)
    failed["error_message"] = message_of(error)
    failed["error_class"] = type(error).__name__
    count = payload.get("retry_count")
    if isinstance(count, int):
        failed["retry_count"] = count + 1
        failed["retried_at"] = now
    else:
        failed["retry_count"] = 0
        failed["failed_at"] = now
    if backtrace:
        failed["error_backtrace"] = _backtrace(error, backtrace)
    return failed


def delay(count: int, asked: float | None = None) -> float:
    """Seconds until retry number `count` (from 0): count**4 + 15 or `asked`, plus a growing jitter."""
    seconds = count**4 + 15 if asked is None else asked
    return seconds + random.random() * 10 * (count + 1)  # noqa: S311  # not a secret


def _may_retry(failed: Mapping[str, object], most: int, retry_for: object, count: int, now: float) -> bool:
    first = instant(failed.get("failed_at"))
    if isinstance(retry_for, (int, float)) and first is not None:
        return now < first + retry_for
    return count < most


def _option(payload: Mapping[str, object], job: JobClass | None, name: str, default: object) -> object:
    return payload[name] if name in payload else getattr(job, name, default)


def _backtrace(error: BaseException, lines: object) -> str:
    """The traceback as Sidekiq packs it: base64 of zlib of a JSON list of lines, the innermost first."""
    frames = [
        f"{frame.filename}:{frame.lineno}:in {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    ]
    frames.reverse()
    if isinstance(lines, int) and not isinstance(lines, bool):
        frames = frames[:lines]
    return base64.b64encode(zlib.compress(json.dumps(frames).encode())).decode()


def ask_retry_in(
    job: JobClass, payload: Payload, count: int, error: BaseException
) -> float | Literal["kill", "discard"] | None:
    """The answer of the class's `retry_in` to failure number `count` (from 0); None: no valid answer."""
    answer = _answer(job, "retry_in", payload, lambda hooks, _: hooks.retry_in(count, error))
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


def _answer(job: JobClass, hook: str, payload: Payload, call: Callable[[RunningJob, Payload], object]) -> object:
    """The answer of a hook, which `call` calls with a copy of the payload; None if it raises."""
    try:
        shown = deepcopy(payload)
        with child_ends_here(), JobLogContext(payload):
            return call(job.for_context(Context(shown)), shown)
    except BaseException as error:  # a hook may raise anything, SystemExit too
        logger.error("%s.%s failed: %s", job.wire_name, hook, described(error), exc_info=error)
        return None
