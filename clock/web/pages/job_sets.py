"""The jobs that wait for a time (`schedule`), for a retry, or have failed for good (`dead`); searching them."""

from __future__ import annotations

from collections.abc import Mapping

from clock.inspection import SetName
from clock.inspection.jobs.pages import set_place
from clock.job.payload import seconds
from clock.web.input.job_filters import SECTIONS, cursor_in, filter_of
from clock.web.job_rows import JOBS_ON_A_PAGE, job_json, paging
from clock.web.page import Page, Show, Visit

SEARCHED = 5_000  # jobs that one page of a search looks at, if Redis can skip most of them
DECODED = 1_000  # and if each must be decoded here


def show_scheduled(visit: Visit) -> Page:
    """The jobs that wait for their time, the next one first."""
    return _show(visit, "schedule")


def show_retries(visit: Visit) -> Page:
    """The jobs that failed and will be tried again, the next one first."""
    return _show(visit, "retry")


def show_dead(visit: Visit) -> Page:
    """The jobs that failed for good, the latest first."""
    return _show(visit, "dead")


def _show(visit: Visit, where: SetName) -> Page:
    wanted, cursor = filter_of(visit, visit.request.get), cursor_in(visit.request.get("cursor"))
    found = set_place(visit.data.redis, where).page(
        wanted,
        now=seconds(visit.now),
        cursor=cursor,
        limit=JOBS_ON_A_PAGE,
        order="last" if where == "dead" else "first",
        scan=SEARCHED if wanted.texts else DECODED,
    )
    section = SECTIONS[where]
    return Page(
        template="job_set",
        title=visit.texts(f"{section}.title"),
        section=section,
        json=lambda: {
            "size": found.total,
            "searched": found.searched,
            "cursor": found.cursor,
            "jobs": [job_json(visit, job) for job in found.jobs],
        },
        view={
            **paging(visit, found),
            "is_search": not wanted.accepts_all,
            "where": where,
            "key": section,
            "query": visit.request,
        },
    )


PAGES: Mapping[str, Show] = {"/scheduled": show_scheduled, "/retries": show_retries, "/dead": show_dead}
