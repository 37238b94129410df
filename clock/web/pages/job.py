"""One job, wherever it is: payload, attempts, error, its way from push to end; retrying or deleting it."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from clock.clocks import from_ms
from clock.errors import ConfigurationError
from clock.inspection.events.event_rows import event_history
from clock.inspection.events.repairs import cancel_running
from clock.inspection.jobs.busy import busy_jobs
from clock.inspection.jobs.job_sets import QueueJobs, SetName, WaitingSet
from clock.inspection.jobs.jobs import FoundJob
from clock.job.payload import instant, seconds
from clock.web.access import Permission
from clock.web.action import Action, Change, Question
from clock.web.job_lists import QUEUE, SECTIONS, find, instant_of, job_json, set_named
from clock.web.page import NotFound, Page, Visit

TRACE_VARIABLE = "CLOCK_TRACE_URL"
TRACE_ID = "{trace_id}"
#: W3C's header: version, trace id, parent, flags.
TRACE_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
FIRINGS = 1_000  # of an event, among which that of a job is looked for
LONGEST_BACKTRACE_BYTES = 200_000  # unpacked; a compressed text may hold any amount

#: field of a payload that holds a time -> the mark of that step
MOMENTS = {"created_at": "fired", "enqueued_at": "fired", "failed_at": "error", "retried_at": "error"}

#: name of the action in the texts -> what it does with jobs of `schedule`, `retry` or `dead`; how many were there
DO: Mapping[str, Callable[[WaitingSet, Sequence[FoundJob], float], int]] = {
    "retry": lambda place, jobs, now: place.enqueue(jobs, now),
    "delete": lambda place, jobs, now: place.delete(jobs),
    "bury": lambda place, jobs, now: place.bury(jobs, now),
}
PERMISSIONS: Mapping[str, Permission] = {"retry": "retry", "delete": "delete", "bury": "delete"}

Record = Mapping[str, Any]
#: A job; the set that holds it, or None and the name of its queue.
Found = tuple[FoundJob, SetName | None, str]
Step = tuple[str, datetime, str, str]  # key of the text, when, kind of the mark, detail


def show(visit: Visit) -> Page:
    """A job at the place that the link names, or, if it has left, its entries in the history of its event."""
    request = visit.request
    jid, place, event = request.get("jid"), request.get("in"), request.get("event")
    job = find(visit.data.redis, jid, place, request.get("at"))
    firing, record = _firing(visit, job, jid, event)
    if job is None and record is None:
        raise NotFound(visit.texts("job.missing", jid=jid))
    where, outcome = set_named(place), (record or {}).get("outcomes", {}).get(jid)
    return Page(
        template="job",
        title=job.job_class if job else visit.texts("job.title"),
        section="queues" if place.startswith(QUEUE) else SECTIONS[where] if where else "schedules",
        json=lambda: {
            "jid": jid,
            "in": place if job else None,
            "job": job_json(visit, job) if job else None,
            "event": firing,
            "outcome": outcome,
        },
        view={
            "job": job,
            "jid": jid,
            "place": place,
            "payload": _payload(visit, job) if job else "",
            "event": firing,
            "zone": declared.zone if (declared := visit.data.declared.get(firing)) else visit.zone,
            "record": record,
            "steps": _steps(job, record, outcome),
            "backtrace": _backtrace(job.payload) if job else "",
            "attempts": None if job is None or job.retries is None else job.retries + 1,
            "at": request.get("at"),
            "trace": (trace := trace_of(job.payload) if job else ""),
            "trace_link": visit.data.source.trace_url.replace(TRACE_ID, trace) if trace else "",
        },
    )


def trace_url_in(environ: Mapping[str, str]) -> str:
    """The address of a trace with `{trace_id}` in it; empty: not set. Raises ConfigurationError."""
    url = environ.get(TRACE_VARIABLE, "").strip()
    if not url:
        return ""
    try:
        is_right = urlsplit(url).scheme in ("http", "https") and bool(urlsplit(url).netloc) and TRACE_ID in url
    except ValueError:
        is_right = False
    if not is_right:
        raise ConfigurationError(f"{TRACE_VARIABLE} is {url!r}; write https://traces.example.com/trace/{TRACE_ID}")
    return url


def trace_of(payload: Mapping[str, object]) -> str:
    """The id of a payload's trace; empty: it has none, or an invalid one."""
    found = TRACE_PARENT.fullmatch(str(payload.get("traceparent", "")))
    return found[1] if found else ""


def _firing(visit: Visit, job: FoundJob | None, jid: str, event: str) -> tuple[str, Record | None]:
    """The event that pushed the job, and the record of its firing; an empty name: no event did."""
    origin = job.payload.get("clock") if job else None
    name = str(origin.get("event", "")) if isinstance(origin, dict) else event
    if not name:
        return "", None
    records = event_history(visit.data.redis, name, FIRINGS)
    return name, next((record for record in records if jid in record.get("jids", ())), None)


def _payload(visit: Visit, job: FoundJob) -> str:
    """The payload without hidden arguments, and without the backtrace, which has its own section."""
    shown: dict[str, object] = {name: value for name, value in job.payload.items() if name != "error_backtrace"}
    if "args" in shown:
        shown["args"] = job.args if visit.access.see_arguments else visit.texts("job.arguments_hidden")
    if not shown:
        return str(job.args)
    return json.dumps(shown, indent=2, ensure_ascii=False, default=str)


def _backtrace(payload: Mapping[str, object]) -> str:
    """The lines of `error_backtrace`; empty if it is missing or invalid.

    Sidekiq writes a list, or, since 5.0, that list as JSON, compressed and in Base64 (`job_util.rb`).
    """
    found = payload.get("error_backtrace")
    if isinstance(found, str):
        try:
            packed = b64decode(found, validate=False)
            found = json.loads(zlib.decompressobj().decompress(packed, LONGEST_BACKTRACE_BYTES))
        except (ValueError, zlib.error, RecursionError):
            return ""
    return "\n".join(map(str, found)) if isinstance(found, list) else ""


def _steps(job: FoundJob | None, record: Record | None, outcome: Any) -> list[Step]:
    """The job's way, oldest first. An error that a step shares with the one before it is left out."""
    steps = _moments(job) if job else []
    if record is not None:
        steps.append(("due", from_ms(record["due"]), str(record["decision"]), ""))
    if isinstance(outcome, dict):
        kind = "fired" if outcome["outcome"] == "done" else "error"
        error = str(outcome.get("error", ""))
        steps.append((f"outcome_{outcome['outcome']}", from_ms(outcome["at"]), kind, error))
    steps.sort(key=lambda step: step[1])
    earlier = ["", *(step[3] for step in steps)]
    return [
        (key, at, kind, "" if detail == before else detail)
        for (key, at, kind, detail), before in zip(steps, earlier, strict=False)
    ]


def _moments(job: FoundJob) -> list[Step]:
    found = [(name, instant_of(instant(job.payload.get(name))), kind) for name, kind in MOMENTS.items()]
    return [(name, at, kind, job.error or "" if kind == "error" else "") for name, at, kind in found if at]


def _job(visit: Visit) -> Found:
    """The job that is meant. Raises NotFound."""
    jid, place = visit.field("jid"), visit.field("in")
    job = find(visit.data.redis, jid, place, visit.field("at"))
    if job is None:
        raise NotFound(visit.texts("job.missing", jid=jid))
    return job, set_named(place), place.removeprefix(QUEUE)


def _ask(visit: Visit, found: Found) -> Question:
    job, where, queue = found
    place = visit.texts(f"place.{where}") if where else queue
    return Question([job.jid], {"job": job.job_class, "place": place})


def _do(name: str, visit: Visit, found: Found) -> Change:
    job, where, queue = found
    if where:
        count = DO[name](WaitingSet(visit.data.redis, where), [job], seconds(visit.now))
    elif name == "delete":
        count = QueueJobs(visit.data.redis, queue).delete([job])
    else:
        raise NotFound(visit.texts("job.missing", jid=job.jid))
    return f"{job.job_class} {job.jid} in {where or queue}", count


def _running(visit: Visit) -> FoundJob:
    """The running job that is meant, of the worker that the form names. Raises NotFound."""
    jid, worker = visit.field("jid"), visit.field("worker")
    found = next((busy.job for busy in busy_jobs(visit.data.redis, [worker]) if busy.job.jid == jid), None)
    if found is None or not jid:
        raise NotFound(visit.texts("job.not_running", jid=jid))
    return found


def _ask_cancel(visit: Visit, job: FoundJob) -> Question:
    return Question([job.jid], {"job": job.job_class})


def _cancel(visit: Visit, job: FoundJob) -> Change:
    cancel_running(visit.data.redis, job.jid, visit.now)
    return f"{job.job_class} {job.jid}", 1


PAGES = {"/job": show}
ACTIONS: Mapping[str, Action[Any]] = {
    **{
        f"{name}_job": Action(PERMISSIONS[name], partial(_do, name), _job, _ask, is_danger=name == "delete")
        for name in DO
    },
    "cancel_job": Action("delete", _cancel, _running, _ask_cancel, is_danger=True),
}
