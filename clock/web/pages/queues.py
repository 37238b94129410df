"""The queues, the jobs that wait in one of them, batches and limits; their buttons pause, clear and set them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from clock.api import Limits, Queue
from clock.inspection.jobs.batches import BatchView, batch, batch_json, batches, failures
from clock.inspection.jobs.job_sets import QueueJobs, QueueView
from clock.inspection.jobs.limits import limits
from clock.inspection.jobs.pages import queue_place
from clock.web.action import Action, Change, Input, Question
from clock.web.inputs import number
from clock.web.job_lists import QUEUE, job_json, job_page
from clock.web.page import NotFound, Page, Visit

MOST_QUEUES = 500  # on the page
MOST_BATCHES = 100  # on a page, or failures of one
MOST_LIMITS = 100  # on a page


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


def show_batches(visit: Visit) -> Page:
    """The batches, the newest first; with the query's `bid` one batch with its failures."""
    redis, bid = visit.data.redis, visit.request.get("bid")
    found = batch(redis, bid) if bid else None
    views = [found] if found else [] if bid else batches(redis)
    failed = [child._asdict() for child in failures(redis, found.bid, MOST_BATCHES)] if found else []
    return Page(
        template="batches",
        section="queues",
        json=lambda: _batches_json(views, failed if bid else None),
        view={"batches": views[:MOST_BATCHES], "total": len(views), "failed": failed},
    )


def _batches_json(views: list[BatchView], failed: list[dict[str, str]] | None) -> object:
    """The JSON of `clock batches`, or of `clock batches BID` if there are failures to show."""
    rows = [batch_json(view) for view in views[:MOST_BATCHES]]
    if failed is None:
        return rows
    return {**(rows[0] if rows else {}), "failures": failed}


def show_limits(visit: Visit) -> Page:
    """The limits by name, as `clock limits list` shows them."""
    views = limits(visit.data.redis, shown=MOST_LIMITS)
    return Page(
        template="blocked",
        section="queues",
        json=lambda: [asdict(view) for view in views[:MOST_LIMITS]],
        view={"limits": views[:MOST_LIMITS], "total": len(views)},
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


def _limit(visit: Visit) -> str:
    """The limit that is meant. Raises NotFound."""
    name = visit.field("name")
    if all(view.name != name for view in Limits(redis=visit.data.redis).current()):
        raise NotFound(visit.texts("set_limit.missing", name=name))
    return name


def _ask_limit(visit: Visit, name: str) -> Question:
    t = visit.texts
    return Question(values={"name": name}, inputs=[Input("maximum", t("set_limit.maximum"), t("set_limit.hint"))])


def _set_limit(visit: Visit, name: str) -> Change:
    text, changed = visit.field("maximum").strip(), Limits(redis=visit.data.redis)
    maximum = number("maximum", text)
    if text:
        changed.set_maximum(name, maximum)
    else:
        changed.reset(name)
    return f"{name}: {text or 'as in the code'}", 1


PAGES = {"/queues": show, "/queue": show_one, "/batches": show_batches, "/blocked": show_limits}
ACTIONS: Mapping[str, Action[Any]] = {
    "set_limit": Action("pause", _set_limit, _limit, _ask_limit),
    "clear_queue": Action("delete", _clear, _queue, _asked, is_danger=True),
    "pause_queue": Action("pause", partial(_switch, Queue.pause), _queue, _asked),
    "unpause_queue": Action("pause", partial(_switch, Queue.unpause), _queue, _asked),
}
