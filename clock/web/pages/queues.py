"""The queues, and the jobs that wait in one of them; pausing and clearing a queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from clock.api import Queue
from clock.inspection.jobs.job_sets import QueueJobs, QueueView
from clock.inspection.jobs.pages import queue_place
from clock.web.action import Action, Change, Question
from clock.web.job_lists import QUEUE, job_json, job_page
from clock.web.page import NotFound, Page, Visit

MOST_QUEUES = 500  # on the page


def show(visit: Visit) -> Page:
    """All queues, with how many jobs wait and for how long the next one has."""
    status = visit.data.status()
    served = {name for worker in status.workers if not worker.quiet for name in worker.queues}
    return Page(
        template="queues",
        json=lambda: [asdict(view) for view in status.queues],
        view={
            "queues": status.queues[:MOST_QUEUES],
            "left_out": max(0, len(status.queues) - MOST_QUEUES),
            "served": served,
            "total": sum(view.size for view in status.queues),
            "parked": status.parked,
            "sizes": visit.data.queue_sizes,
        },
    )


def show_one(visit: Visit) -> Page:
    """The jobs of one queue, the next one to be taken first."""
    queue = _queue(visit)
    found, view = job_page(visit, queue_place(visit.data.redis, queue.name))
    return Page(
        template="queue",
        title=queue.name,
        section="queues",
        json=lambda: {
            "queue": queue.name,
            "size": found.total,
            "cursor": found.cursor,
            "jobs": [job_json(visit, job) for job in found.jobs],
        },
        view={"name": queue.name, "place": QUEUE + queue.name, "queue": queue, "where": "", **view},
    )


def _queue(visit: Visit) -> QueueView:
    """The queue that is meant. Raises NotFound."""
    name = visit.field("name")
    found = next((view for view in visit.data.status().queues if view.name == name), None)
    if found is None:
        raise NotFound(visit.texts("queue.missing", name=name))
    return found


def _asked(visit: Visit, queue: QueueView) -> Question:
    return Question(values={"name": queue.name, "n": queue.size})


def _clear(visit: Visit, queue: QueueView) -> Change:
    return queue.name, QueueJobs(visit.data.redis, queue.name).clear()


def _switch(act: Callable[[Queue], bool], visit: Visit, queue: QueueView) -> Change:
    return queue.name, int(act(Queue(queue.name, redis=visit.data.redis)))


PAGES = {"/queues": show, "/queue": show_one}
ACTIONS = {
    "clear_queue": Action("delete", _clear, _queue, _asked, is_danger=True),
    "pause_queue": Action("pause", partial(_switch, Queue.pause), _queue, _asked),
    "unpause_queue": Action("pause", partial(_switch, Queue.unpause), _queue, _asked),
}
