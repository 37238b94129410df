"""One job: retry it now, delete it, bury it; and a whole queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from clock.api import Queue
from clock.inspection import FoundJob, QueueJobs, SetName, WaitingSet
from clock.inspection.events.repairs import cancel_running
from clock.inspection.jobs.busy import BusyJob, busy_jobs
from clock.job.payload import seconds
from clock.web.access import Permission
from clock.web.actions.action import Action, Question, change, done, field, question
from clock.web.input.finding import QUEUE, find
from clock.web.input.job_filters import set_named
from clock.web.page import NotFound, Page, Visit
from clock.web.request import Response

#: name of the action in the texts -> what it does with jobs of `schedule`, `retry` or `dead`; how many were there
DO: Mapping[str, Callable[[WaitingSet, Sequence[FoundJob], float], int]] = {
    "retry": lambda place, jobs, now: place.enqueue(jobs, now),
    "delete": lambda place, jobs, now: place.delete(jobs),
    "bury": lambda place, jobs, now: place.bury(jobs, now),
}
PERMISSIONS: Mapping[str, Permission] = {"retry": "retry", "delete": "delete", "bury": "delete"}


def _job(visit: Visit) -> tuple[FoundJob, SetName | None, str]:
    """The job that is meant; the set that holds it, or None and the name of its queue. Raises NotFound."""
    jid, place = field(visit, "jid"), field(visit, "in")
    job = find(visit.data.redis, jid, place, field(visit, "at"))
    if job is None:
        raise NotFound(visit.texts("job.missing", jid=jid))
    return job, set_named(place), place.removeprefix(QUEUE)


def _ask(name: str) -> Callable[[Visit], Question]:
    def ask(visit: Visit) -> Question:
        job, where, queue = _job(visit)
        place = visit.texts(f"place.{where}") if where else queue
        is_danger = name == "delete"
        return question(visit, f"{name}_job", [job.jid], is_danger=is_danger, job=job.job_class, place=place)

    return ask


def _do(name: str) -> Callable[[Visit], Response | Page]:
    def do(visit: Visit) -> Response | Page:
        job, where, queue = _job(visit)
        if where:
            count = DO[name](WaitingSet(visit.data.redis, where), [job], seconds(visit.now))
        elif name == "delete":
            count = QueueJobs(visit.data.redis, queue).delete([job])
        else:
            raise NotFound(visit.texts("job.missing", jid=job.jid))
        target = f"{job.job_class} {job.jid} in {where or queue}"
        return done(visit, f"{name}_job", change(visit, f"{name}_job", target, count))

    return do


def _running(visit: Visit) -> BusyJob:
    """The running job that is meant, of the worker that the form names. Raises NotFound."""
    jid, worker = field(visit, "jid"), field(visit, "worker")
    found = next((busy for busy in busy_jobs(visit.data.redis, [worker]) if busy.job.jid == jid), None)
    if found is None or not jid:
        raise NotFound(visit.texts("job.not_running", jid=jid))
    return found


def _ask_cancel(visit: Visit) -> Question:
    job = _running(visit).job
    return question(visit, "cancel_job", [job.jid], is_danger=True, job=job.job_class)


def _cancel(visit: Visit) -> Response | Page:
    job = _running(visit).job
    cancel_running(visit.data.redis, job.jid, visit.now)
    return done(visit, "cancel_job", change(visit, "cancel_job", f"{job.job_class} {job.jid}"))


def _queue(visit: Visit) -> tuple[str, int]:
    """The queue that is meant, and its size. Raises NotFound."""
    name = field(visit, "name")
    size = next((view.size for view in visit.data.status().queues if view.name == name), None)
    if size is None:
        raise NotFound(visit.texts("queue.missing", name=name))
    return name, size


def _ask_clear(visit: Visit) -> Question:
    name, size = _queue(visit)
    return question(visit, "clear_queue", is_danger=True, name=name, n=size)


def _clear(visit: Visit) -> Response | Page:
    name, _ = _queue(visit)
    count = QueueJobs(visit.data.redis, name).clear()
    return done(visit, "clear_queue", change(visit, "clear_queue", name, count))


def _ask_queue(name: str) -> Callable[[Visit], Question]:
    def ask(visit: Visit) -> Question:
        queue, _ = _queue(visit)
        return question(visit, f"{name}_queue", name=queue)

    return ask


def _do_queue(name: str, act: Callable[[Queue], bool]) -> Callable[[Visit], Response | Page]:
    def do(visit: Visit) -> Response | Page:
        queue, _ = _queue(visit)
        count = int(act(Queue(queue, redis=visit.data.redis)))
        return done(visit, f"{name}_queue", change(visit, f"{name}_queue", queue, count))

    return do


JOBS: Mapping[str, Action] = {
    **{f"{name}_job": Action(PERMISSIONS[name], _ask(name), _do(name)) for name in DO},
    "cancel_job": Action("delete", _ask_cancel, _cancel),
    "clear_queue": Action("delete", _ask_clear, _clear),
    "pause_queue": Action("pause", _ask_queue("pause"), _do_queue("pause", Queue.pause)),
    "unpause_queue": Action("pause", _ask_queue("unpause"), _do_queue("unpause", Queue.unpause)),
}
