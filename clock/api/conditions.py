"""Which jobs are meant, by keyword arguments; what the API's methods that search or change jobs take."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypedDict, Unpack

from clock.errors import JobError
from clock.inspection.jobs.jobs import JobFilter
from clock.job.payload import due_at, in_seconds
from clock.printable import brief


class Conditions(TypedDict, total=False):
    """Conditions that a job has to meet, all of those that are given.

    `jid` is one job id, or several. `class_` and `queue` may contain `*` and `?`. `args` and `error` are texts
    that the arguments, as JSON, and the last error contain, in upper or lower case; `text` is looked for in all
    of jid, class, arguments and error. `before`, an aware datetime or seconds since 1970: due, died or, in a
    queue, enqueued before it. `older_than`, seconds or a timedelta: failed, enqueued or created longer ago.
    """

    jid: str | Iterable[str]
    class_: str
    queue: str
    args: str
    error: str
    text: str
    before: datetime | float
    older_than: timedelta | float


def where(**conditions: Unpack[Conditions]) -> JobFilter:
    """The filter of some conditions. Raises JobError for an unknown condition or a wrong type.

    >>> where(class_="Send*", jid="2f9b").job_class
    'Send*'
    """
    unknown = conditions.keys() - Conditions.__optional_keys__
    if unknown:
        known = ", ".join(sorted(Conditions.__optional_keys__))
        raise JobError(f"unknown condition {', '.join(sorted(unknown))}; known are {known}")
    before = conditions.get("before")
    return JobFilter(
        jids=_jids(conditions.get("jid")),
        job_class=_text("class_", conditions.get("class_")),
        queue=_text("queue", conditions.get("queue")),
        older_than=_age(conditions.get("older_than")),
        args=_text("args", conditions.get("args")),
        error=_text("error", conditions.get("error")),
        text=_text("text", conditions.get("text")),
        before=None if before is None else _instant(before),
    )


def _jids(given: str | Iterable[str] | None) -> frozenset[str] | None:
    """The job ids; None: the condition is not given. An empty list meets no job."""
    if given is None:
        return None
    jids = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else [given]
    if not all(isinstance(jid, str) for jid in jids):
        raise JobError(f"jid is {brief(given)}; pass a job id, or a list of them")
    return frozenset(jids)


def _text(name: str, given: str | None) -> str | None:
    """A text that is not empty: an empty text would mean all jobs. None: the condition is not given."""
    if given is None or (isinstance(given, str) and given):
        return given
    raise JobError(f"{name} is {brief(given)}; pass a text that is not empty, or leave {name} out")


def _age(given: timedelta | float | None) -> float | None:
    seconds = in_seconds(given)
    if given is not None and (seconds is None or not seconds >= 0):  # NaN is refused, too
        raise JobError(f"older_than is {brief(given)}; pass seconds or a timedelta, 0 or more")
    return seconds


def _instant(given: datetime | float) -> float:
    try:
        return due_at(given, 0.0)
    except ValueError as error:
        raise JobError(f"before: {error}") from None
