"""Finds a job again that a list has shown: near its last position, not by reading through all jobs."""

from __future__ import annotations

from math import isnan

from clock.errors import InvalidCursor
from clock.inspection import FoundJob, JobFilter
from clock.inspection.jobs.pages import cursors_at, queue_place, set_place
from clock.inspection.opening import Redis
from clock.web.input.job_filters import START, cursor_in, set_named

QUEUE = "queue:"
MOST = 25  # jobs that are read whole: those of a list's page
NEAR = 5_000  # jobs that are read: those with one score, or those of a queue from the start of a page on


def find(redis: Redis, jid: str, place: str, at: str) -> FoundJob | None:
    """The job of that jid; None: it has moved on.

    `place` is `schedule`, `retry`, `dead` or `queue:NAME`. `at` is its score, or, in a queue, the cursor of the
    page that has shown it. Raises StoreUnavailable.
    """
    wanted = JobFilter(frozenset([jid]) if jid else None)
    if place.startswith(QUEUE):
        queue = queue_place(redis, place.removeprefix(QUEUE))
        cursors = dict.fromkeys([_cursor(at), START])  # jobs come nearer to the front as others are taken
        pages = (queue.page(wanted, now=0.0, cursor=cursor, limit=MOST, scan=NEAR) for cursor in cursors)
        return next((job for page in pages for job in page.jobs if job.jid == jid), None)
    where, score = set_named(place), _score(at)
    if where is None or score is None:
        return None
    in_set, begins = set_place(redis, where), cursors_at(redis, score)
    found = (in_set.page(wanted, now=0.0, cursor=begin, limit=MOST, scan=NEAR) for begin in begins)
    return next((job for page in found for job in page.jobs if job.at == score and job.jid == jid), None)


def _cursor(text: str) -> str:
    """The cursor of the page that has shown the job, or the start if the text is not a cursor."""
    try:
        return cursor_in(text)
    except InvalidCursor:
        return START


def _score(text: str) -> float | None:
    try:
        score = float(text)
    except ValueError:
        return None
    return None if isnan(score) else score
