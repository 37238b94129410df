"""One job, wherever it is: payload, attempts, error, and its way from push to end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from clock.clocks import from_ms
from clock.inspection import FoundJob
from clock.inspection.events.event_rows import event_history
from clock.job.payload import instant
from clock.web.backtraces import backtrace
from clock.web.input.finding import find
from clock.web.input.job_filters import SECTIONS, set_named
from clock.web.job_rows import instant_of, job_json
from clock.web.page import NotFound, Page, Show, Visit
from clock.web.traces import PLACE, trace_of

FIRINGS = 1_000  # of an event, among which that of a job is looked for

#: field of a payload that holds a time -> the mark of that step
MOMENTS = {"created_at": "fired", "enqueued_at": "fired", "failed_at": "error", "retried_at": "error"}


def show(visit: Visit) -> Page:
    """A job at the place that the link names, or, if it has left, its entries in the history of its event."""
    request = visit.request
    jid, place, event = request.get("jid"), request.get("in"), request.get("event")
    job = find(visit.data.redis, jid, place, request.get("at"))
    firing, record = _firing(visit, job, jid, event)
    if job is None and record is None:
        raise NotFound(visit.texts("job.missing", jid=jid))
    section = (
        "queues" if place.startswith("queue:") else SECTIONS[where] if (where := set_named(place)) else "schedules"
    )
    return Page(
        template="job",
        title=job.job_class if job else visit.texts("job.title"),
        section=section,
        json=lambda: {
            "jid": jid,
            "in": place if job else None,
            "job": job_json(visit, job) if job else None,
            "event": firing,
            "outcome": record["outcomes"][jid] if record and jid in record.get("outcomes", {}) else None,
        },
        view={
            "job": job,
            "jid": jid,
            "place": place,
            "payload": _payload(visit, job) if job else "",
            "event": firing,
            "zone": declared.zone if (declared := visit.data.declared.get(firing)) else visit.zone,
            "record": record,
            "steps": _steps(job, record, jid),
            "backtrace": backtrace(job.payload) if job else "",
            "attempts": None if job is None or job.retries is None else job.retries + 1,
            "at": request.get("at"),
            "trace": (trace := trace_of(job.payload) if job else ""),
            "trace_link": visit.data.source.trace_url.replace(PLACE, trace) if trace else "",
        },
    )


Step = tuple[str, datetime, str, str]  # key of the text, when, kind of the mark, detail


def _firing(visit: Visit, job: FoundJob | None, jid: str, event: str) -> tuple[str, Mapping[str, Any] | None]:
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


def _steps(job: FoundJob | None, record: Mapping[str, Any] | None, jid: str) -> list[Step]:
    """The job's way, oldest first."""
    steps = _moments(job) if job else []
    if record is not None:
        steps.append(("due", from_ms(record["due"]), str(record["decision"]), ""))
    outcome = record["outcomes"].get(jid) if record and "outcomes" in record else None
    if isinstance(outcome, dict):
        kind = "fired" if outcome["outcome"] == "done" else "error"
        steps.append(
            (f"outcome_{outcome['outcome']}", from_ms(outcome["at"]), kind, str(outcome.get("error", "")))
        )
    return _without_repeats(sorted(steps, key=lambda step: step[1]))


def _without_repeats(steps: Sequence[Step]) -> list[Step]:
    """The steps; an error that a step shares with the one before it is left out."""
    earlier = ["", *(step[3] for step in steps)]
    return [
        (key, at, kind, "" if detail == before else detail)
        for (key, at, kind, detail), before in zip(steps, earlier, strict=False)
    ]


def _moments(job: FoundJob) -> list[Step]:
    """The times that a payload holds."""
    found = []
    for name, kind in MOMENTS.items():
        at = instant_of(instant(job.payload.get(name)))
        if at is not None:
            found.append((name, at, kind, job.error or "" if kind == "error" else ""))
    return found


PAGES: Mapping[str, Show] = {"/job": show}
