"""Schedules made at run time: the list, and the form for a new one or a change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clock.api.schedules import Schedule, Schedules
from clock.web.input.schedule_form import SHOWN, as_texts
from clock.web.page import Page, Show, Visit


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
            "form": _row(edited) if edited else dict.fromkeys(("name", "version", *SHOWN), ""),
        },
    )


def _row(one: Schedule) -> Mapping[str, Any]:
    return {"name": one.name, "version": one.version, **as_texts(one.fields)}


PAGES: Mapping[str, Show] = {"/run-time": show}
