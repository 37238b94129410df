"""Which jobs are meant, by keyword arguments; what the API's methods that search or change jobs take."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypedDict, Unpack

from clock.errors import JobError
from clock.inspection import JobFilter
from clock.job.delays import due_at
from clock.job.options import in_seconds


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
    jid = conditions.get("jid", ())
    before = conditions.get("before")
    return JobFilter(
        jids=frozenset([jid] if isinstance(jid, str) else jid),
        job_class=conditions.get("class_"),
        queue=conditions.get("queue"),
        older_than=_age(conditions.get("older_than")),
        args=conditions.get("args"),
        error=conditions.get("error"),
        text=conditions.get("text"),
        before=None if before is None else _instant(before),
    )


def _age(given: timedelta | float | None) -> float | None:
    seconds = in_seconds(given)
    if given is not None and seconds is None:
        raise JobError(f"older_than is {given!r:.60}; pass seconds or a timedelta")
    return seconds


def _instant(given: datetime | float) -> float:
    try:
        return due_at(given, 0.0)
    except ValueError as error:
        raise JobError(f"before: {error}") from None
