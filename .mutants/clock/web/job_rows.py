"""Jobs in lists: what a row shows, for people and for programs; links from page to page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from clock.inspection import FoundJob
from clock.inspection.jobs.pages import Page
from clock.web.formatting import LONGEST_BLOCK
from clock.web.input.inputs import number
from clock.web.input.job_filters import cursor_in
from clock.web.page import Visit

JOBS_ON_A_PAGE = 25
FIELDS = ("class", "jid", "queue", "retry_count", "failed_at", "enqueued_at", "created_at", "error_class", "at")


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


def paging(visit: Visit, found: Page) -> Mapping[str, object]:
    """The rows of a page, and links to the first and the next page with the present query."""
    request = visit.request
    fields = {
        name: values[0] for name, values in request.query.items() if name not in ("cursor", "searched", "format")
    }
    searched = number("searched", request.get("searched")) + found.searched
    following = (
        request.link(request.path, **fields, cursor=found.cursor, searched=searched) if found.cursor else None
    )
    return {
        "jobs": found.jobs,
        "total": found.total,
        "searched": min(searched, found.total),
        "cursor": cursor_in(request.get("cursor")),
        "next_link": following,
        "first_link": request.link(request.path, **fields) if request.get("cursor") else None,
    }
