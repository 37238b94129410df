"""Schedules made at run time: the list, and the form for a new one or a change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from clock.api.schedules import Schedule, Schedules
from clock.web.page import Page, Visit

SHOWN = ("name", "version", "job", "cron", "every", "rrule", "sun", "at", "tz", "args", "queue")


def show(visit: Visit) -> Page:
    """The schedules in Redis. The query's `edit` names the schedule that fills the form."""
    stored = Schedules(redis=visit.data.redis, by=visit.access.user).stored()
    edited = next((one for one in stored if one.name == visit.request.get("edit")), None)
    return Page(
        template="run_time",
        title=visit.texts("run_time.title"),
        section="schedules",
        json=lambda: [{"name": one.name, "version": one.version, **one.fields} for one in stored],
        view={
            "stored": [_row(one) for one in stored],
            "form": _row(edited) if edited else dict.fromkeys(SHOWN, ""),
        },
    )


def _row(one: Schedule) -> Mapping[str, Any]:
    fields = one.fields
    at = fields.get("at", "")
    args = json.dumps(fields.get("args", []), ensure_ascii=False)
    texts = {"at": at if isinstance(at, str) else ", ".join(at), "args": args}
    return {**dict.fromkeys(SHOWN, ""), "name": one.name, "version": one.version, **fields, **texts}
