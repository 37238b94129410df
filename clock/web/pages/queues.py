"""The queues, and the jobs that wait in one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from clock.inspection.jobs.pages import queue_place
from clock.job.payload import seconds
from clock.web.input.job_filters import cursor_in, filter_of
from clock.web.job_rows import JOBS_ON_A_PAGE, job_json, paging
from clock.web.page import NotFound, Page, Show, Visit

MOST_QUEUES = 500  # on the page
SEARCHED = 5_000  # jobs that one page of a search looks at


def show(visit: Visit) -> Page:
    """All queues, with how many jobs wait and for how long the next one has."""
    status = visit.data.status()
    served = {name for worker in status.workers if not worker.quiet for name in worker.queues}
    return Page(
        template="queues",
        title=visit.texts("queues.title"),
        section="queues",
        json=lambda: [asdict(view) for view in status.queues],
        view={
            "queues": status.queues[:MOST_QUEUES],
            "left_out": max(0, len(status.queues) - MOST_QUEUES),
            "served": served,
            "total": sum(view.size for view in status.queues),
            "parked": status.parked,
            "sizes": {view.name: visit.data.queue_sizes(view.name) for view in status.queues[:MOST_QUEUES]},
        },
    )


def show_one(visit: Visit) -> Page:
    """The jobs of one queue, the next one to be taken first."""
    name = visit.request.get("name")
    view = next((view for view in visit.data.status().queues if view.name == name), None)
    if view is None:
        raise NotFound(visit.texts("queue.missing", name=name))
    wanted = filter_of(visit, visit.request.get)
    cursor = cursor_in(visit.request.get("cursor"))
    place = queue_place(visit.data.redis, name)
    found = place.page(wanted, now=seconds(visit.now), cursor=cursor, limit=JOBS_ON_A_PAGE, scan=SEARCHED)
    return Page(
        template="queue",
        title=name,
        section="queues",
        json=lambda: {
            "queue": name,
            "size": found.total,
            "cursor": found.cursor,
            "jobs": [job_json(visit, job) for job in found.jobs],
        },
        view={
            "name": name,
            "place": f"queue:{name}",
            "queue": view,
            "is_search": not wanted.accepts_all,
            "query": visit.request,
            "where": "",
            **paging(visit, found),
        },
    )


PAGES: Mapping[str, Show] = {"/queues": show, "/queue": show_one}
