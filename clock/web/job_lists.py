"""Jobs in lists: which jobs a query or a form means, what a row shows, and how to find a row's job again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from math import isnan

from clock.errors import InvalidCursor
from clock.inspection.jobs import pages
from clock.inspection.jobs.job_sets import SetName
from clock.inspection.jobs.jobs import FoundJob, JobFilter
from clock.inspection.opening import Redis
from clock.job.payload import seconds
from clock.web.inputs import BadInput, date_or_time, number
from clock.web.page import Visit

#: set -> its entry in the menu
SECTIONS: Mapping[SetName, str] = {"schedule": "scheduled", "retry": "retries", "dead": "dead"}
QUEUE = "queue:"  # before the name of a queue as the place of a job

START = ":0:4"  # a cursor that reads few jobs at first: they may be large
JOBS_ON_A_PAGE = 25
LONGEST_BLOCK = 20_000  # characters of a payload or a traceback on the page of its job
SEARCHED = 5_000  # jobs that one page of a search looks at, if Redis can skip most of them
#: Jobs that are read to find one: those with its score, or those of a queue from the start of a page on.
NEAR = 5_000
FIELDS = ("class", "jid", "queue", "retry_count", "failed_at", "enqueued_at", "created_at", "error_class", "at")


def cursor_in(text: str) -> str:
    """The cursor of a page; the start if the text is empty. Raises InvalidCursor."""
    return str(pages.cursor_of(text)) if text else START


def set_named(name: str) -> SetName | None:
    """The set with this name, or None for another name."""
    return next((where for where in SECTIONS if where == name), None)


def filter_of(visit: Visit) -> JobFilter:
    """The jobs that fields of a query or a form ask for. Raises BadInput.

    A search in arguments reveals them, so it needs the permission to see them.
    """
    jid, job_class, args, error = (visit.field(name).strip() for name in ("jid", "class", "args", "error"))
    if args and not visit.access.see_arguments:
        raise BadInput(visit.texts("search.hidden_args"), 403)
    before = date_or_time("before", visit.field("before"), visit.now)
    is_pattern = "*" in job_class or "?" in job_class
    return JobFilter(
        jids=frozenset([jid]) if jid else None,
        job_class=(job_class if is_pattern else f"*{job_class}*") if job_class else None,
        args=args or None,
        error=error or None,
        before=None if before is None else before.timestamp(),
    )


def job_page(
    visit: Visit, place: pages.Place, *, order: pages.Order = "first", decoded: int = SEARCHED
) -> tuple[pages.Page, Mapping[str, object]]:
    """The jobs of a place that the query asks for, and the values of their template.

    `decoded`: of how many jobs to look at, if each must be decoded here. Raises BadInput, InvalidCursor.
    """
    request, wanted = visit.request, filter_of(visit)
    found = place.page(
        wanted,
        now=seconds(visit.now),
        cursor=cursor_in(request.get("cursor")),
        limit=JOBS_ON_A_PAGE,
        order=order,
        scan=SEARCHED if wanted.texts else decoded,
    )
    fields = {
        name: values[0] for name, values in request.query.items() if name not in ("cursor", "searched", "format")
    }
    searched = number("searched", request.get("searched")) + found.searched
    following = {**fields, "cursor": found.cursor, "searched": searched}
    return found, {
        "jobs": found.jobs,
        "total": found.total,
        "searched": min(searched, found.total),
        "cursor": cursor_in(request.get("cursor")),
        "next_link": request.link(request.path, **following) if found.cursor else None,
        "first_link": request.link(request.path, **fields) if request.get("cursor") else None,
        "is_search": not wanted.accepts_all,
        "query": request,
    }


def find(redis: Redis, jid: str, place: str, at: str) -> FoundJob | None:
    """The job of that jid near its last position; None: it has moved on. Not all jobs are read.

    `place` is `schedule`, `retry`, `dead` or `queue:NAME`. `at` is its score, or, in a queue, the cursor of the
    page that has shown it: jobs come nearer to the front as others are taken. Raises StoreUnavailable.
    """
    if place.startswith(QUEUE):
        source, score, cursors = pages.queue_place(redis, place.removeprefix(QUEUE)), None, [START]
        with suppress(InvalidCursor):
            cursors = list(dict.fromkeys([cursor_in(at), START]))
    else:
        score = _score(at)
        if set_named(place) is None or score is None:
            return None
        source, cursors = pages.set_place(redis, place), pages.cursors_at(redis, score)
    wanted = JobFilter(frozenset([jid]) if jid else None)
    read = (source.page(wanted, now=0.0, cursor=one, limit=JOBS_ON_A_PAGE, scan=NEAR) for one in cursors)
    return next((job for page in read for job in page.jobs if job.at == score and job.jid == jid), None)


def _score(text: str) -> float | None:
    try:
        score = float(text)
    except ValueError:
        return None
    return None if isnan(score) else score


def job_json(visit: Visit, job: FoundJob) -> dict[str, object]:
    """A job for programs, as in `clock dead list --json`: its payload, and `at`, its score.

    Visitors without the permission do not see its arguments. If the job is too long for a list, `cut` is its
    length in bytes, and it has only the fields that a row shows.
    """
    shown: dict[str, object] = {**job.payload, "at": job.at}
    if "args" in shown:
        shown["args"] = job.args
    if not visit.access.see_arguments:
        shown.pop("args", None)
    if len(job.member) > LONGEST_BLOCK:
        shown = {name: shown[name] for name in FIELDS if name in shown} | {"cut": len(job.member)}
    return shown


def shown_args(visit: Visit, job: FoundJob) -> str:
    """A job's arguments, as a row shows them; without the brackets around them."""
    if not visit.access.see_arguments:
        return visit.texts("job.arguments_hidden")
    text = json.dumps(job.args, ensure_ascii=False, default=str)
    return text[1:-1] if text.startswith("[") else text


def instant_of(seconds: float | None) -> datetime | None:
    """A score or a time of a payload as an instant, or None if it is invalid or outside the calendar."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
