"""Deploy marks: lines with a label on the charts of the dashboard, and of Sidekiq's page Metrics."""

from __future__ import annotations

import asyncio
from datetime import MAXYEAR, UTC, datetime

from clock.api.objects import connected, instant
from clock.errors import InvalidDeployMark
from clock.printable import brief, is_utf8, printable
from clock.store import Redis
from clock.store.jobs import deploy_marks
from clock.store.jobs.deploy_marks import LONGEST_LABEL, Marking

FIRST_YEAR, LAST_YEAR = 1971, MAXYEAR - 1  # in all zones they are in the calendar
LONGEST_SHOWN = 80  # characters of a label in an error


def mark_deploy(label: str, at: datetime | None = None, *, redis: Redis | None = None) -> bool:
    """Mark a deploy at `at` (aware; None: now), as Sidekiq's `Deploy.mark!` does. Marks are kept for 90 days.

    A minute has one mark, and a label is marked once a minute, so every process of a deploy may call this. False:
    the minute or the label already has a mark. Raises InvalidDeployMark for a label that is empty or no text, or a
    time without a zone or before 1971, and StoreUnavailable.
    """
    return marked(label, at, redis=redis)[1] is Marking.MARKED


def marked(label: str, at: datetime | None = None, *, redis: Redis | None = None) -> tuple[str, Marking]:
    """`mark_deploy`, with the label as it is stored and what was marked. Raises the same errors."""
    _check_label(label)
    when = instant() if at is None else _checked_time(at)
    return label[:LONGEST_LABEL], deploy_marks.mark(connected(redis), label, when)


def _check_label(label: object) -> None:
    if not isinstance(label, str):
        raise InvalidDeployMark(f"the label of a deploy mark is {brief(label, LONGEST_SHOWN)}; it must be a text")
    if not label.strip():
        raise InvalidDeployMark("the label of a deploy mark is empty: give the release or the change")
    if not is_utf8(label):
        shown = printable(label[:LONGEST_SHOWN])
        raise InvalidDeployMark(f"the label of a deploy mark is not valid UTF-8: {shown}")


def _checked_time(at: object) -> datetime:
    """The time in UTC. Raises InvalidDeployMark."""
    if not isinstance(at, datetime):
        raise InvalidDeployMark(f"the time of a deploy mark is {brief(at, LONGEST_SHOWN)}; it must be a datetime")
    if at.utcoffset() is None:
        raise InvalidDeployMark("the time of a deploy mark has no zone: use datetime.now(UTC), for example")
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        years = f"from {FIRST_YEAR} to {LAST_YEAR}"
        raise InvalidDeployMark(f"the time of a deploy mark is in the year {at.year}; it must be {years}")
    return at.astimezone(UTC)


async def amark_deploy(label: str, at: datetime | None = None, *, redis: Redis | None = None) -> bool:
    """`mark_deploy` that does not block the event loop."""
    return await asyncio.to_thread(mark_deploy, label, at, redis=redis)
