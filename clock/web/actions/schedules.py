"""Creating, changing and deleting schedules at run time. The question shows the change and the next ten runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from clock.api.schedules import ScheduleChange, ScheduleFields, Schedules
from clock.inspection.events.schedules import next_runs
from clock.inspection.events.shown_actions import hides_arguments
from clock.timetable.clock_file.zones.zone_names import find_zone
from clock.web.actions.action import Action, Question, field, went_back
from clock.web.input.inputs import BadInput, number
from clock.web.input.schedule_form import INPUTS, as_fields
from clock.web.page import Page, Visit
from clock.web.request import Response


def _ask_put(visit: Visit) -> Question:
    t, name = visit.texts, field(visit, "name")
    job, fields, schedules = field(visit, "job"), _fields(visit), _schedules(visit)
    change, event = schedules.preview(name, job=job, **fields), schedules.event(name, job=job, **fields)
    zone = find_zone(field(visit, "tz") or "UTC")
    runs = [
        t("run_time.next", at=f"{at.astimezone(zone):%a %Y-%m-%d %H:%M:%S %Z}")
        for at in next_runs(event, visit.now)
    ]
    restarts = t("run_time.restarts") if change.restarts else ""
    return Question(
        title=t("run_time.put_title", name=name),
        text=t("run_time.put_text", restarts=restarts),
        button=t("run_time.put"),
        names=[*_differences(visit, job, change), *(runs or [t("run_time.never")])],
    )


def _put(visit: Visit) -> Response | Page:
    name = field(visit, "name")
    version = number("version", field(visit, "version"))
    _schedules(visit).put(name, job=field(visit, "job"), version=version, **_fields(visit))
    visit.data.schedules_changed()
    return went_back(visit, "put_schedule.1")


def _ask_delete(visit: Visit) -> Question:
    t, name = visit.texts, field(visit, "name")
    _check_version(visit)
    return Question(
        t("run_time.delete_title", name=name),
        t("run_time.delete_text"),
        t("run_time.delete"),
        [name],
        is_danger=True,
    )


def _delete(visit: Visit) -> Response | Page:
    is_deleted = _schedules(visit).delete(field(visit, "name"), version=_check_version(visit))
    visit.data.schedules_changed()
    return went_back(visit, f"delete_schedule.{int(is_deleted)}")


def _check_version(visit: Visit) -> int:
    version = number("version", field(visit, "version"))
    if not version:
        raise BadInput(visit.texts("run_time.no_version"))
    return version


def _schedules(visit: Visit) -> Schedules:
    timetable = visit.data.source.timetable
    declared = timetable.by_name if timetable else None
    return Schedules(redis=visit.data.redis, by=visit.access.user, source=visit.request.remote, declared=declared)


def _fields(visit: Visit) -> ScheduleFields:
    found = _schedules(visit).get(field(visit, "name"))
    stored = found.fields if found else {}
    texts = {name: field(visit, name).strip() for name in INPUTS}
    return cast("ScheduleFields", {**as_fields(texts, stored), **_args(visit, stored)})


def _args(visit: Visit, stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments that the form has, or those that are stored if the form hides them. Raises BadInput."""
    text = field(visit, "args").strip()
    if text:
        return {"args": _parsed(visit, text)}
    if not hides_arguments(stored, see_arguments=visit.access.see_arguments):
        return {}
    name, job = field(visit, "name"), field(visit, "job")
    if job != stored.get("job"):  # whose class may show them
        raise BadInput(visit.texts("run_time.hidden_args_of_another_job", name=name, job=job))
    return {"args": stored["args"]}


def _parsed(visit: Visit, text: str) -> list[Any]:
    try:
        args = json.loads(text)
    except (ValueError, RecursionError):
        args = None
    if not isinstance(args, list):
        raise BadInput(visit.texts("run_time.bad_args", text=text))
    return args


def _differences(visit: Visit, job: str, change: ScheduleChange) -> list[str]:
    before, after = _shown(visit, job, change.before), _shown(visit, job, change.after)
    none = visit.texts("run_time.none")
    return [f"{name}: {before.get(name, none)} → {after.get(name, none)}" for name in {**before, **after}]


def _shown(visit: Visit, job: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields that change; words replace hidden arguments."""
    is_hidden = hides_arguments({"job": job, **fields}, see_arguments=visit.access.see_arguments)
    return {**fields, "args": visit.texts("run_time.hidden")} if is_hidden else fields


SCHEDULES: Mapping[str, Action] = {
    "put_schedule": Action("schedule", _ask_put, _put),
    "delete_schedule": Action("schedule", _ask_delete, _delete),
}
