"""Schedules made at run time: the list, and the form for a new one or a change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clock.api.schedules import Schedule, Schedules
from clock.inspection.events.shown_actions import hides_arguments, shown_fields
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
        json=lambda: [_as_json(visit, one) for one in stored],
        view={
            "stored": [_row(visit, one) for one in stored],
            "form": _form(visit, edited) if edited else dict.fromkeys(("name", "version", *SHOWN), ""),
            "hides_arguments": edited is not None and _hides(visit, edited),
        },
    )


def _as_json(visit: Visit, one: Schedule) -> Mapping[str, Any]:
    shown = shown_fields(one.fields, see_arguments=visit.access.see_arguments)
    return {"name": one.name, "version": one.version, **shown}


def _row(visit: Visit, one: Schedule) -> Mapping[str, Any]:
    shown = shown_fields(one.fields, see_arguments=visit.access.see_arguments)
    return {"name": one.name, "version": one.version, **as_texts(shown)}


def _form(visit: Visit, one: Schedule) -> Mapping[str, Any]:
    """The row, without arguments if a part of them is hidden: an empty text keeps those that are stored."""
    return {**_row(visit, one), **({"args": ""} if _hides(visit, one) else {})}


def _hides(visit: Visit, one: Schedule) -> bool:
    return hides_arguments(one.fields, see_arguments=visit.access.see_arguments)


PAGES: Mapping[str, Show] = {"/run-time": show}
