"""Creating, changing and deleting schedules at run time. The question shows the change and the next ten runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from clock.api.schedules import ScheduleChange, ScheduleFields, Schedules
from clock.inspection.events.schedules import next_runs
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
        names=[*_differences(visit, change), *(runs or [t("run_time.never")])],
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
    return Schedules(redis=visit.data.redis, by=visit.access.user, source=visit.request.remote)


def _fields(visit: Visit) -> ScheduleFields:
    stored = _schedules(visit).get(field(visit, "name"))
    texts = {name: field(visit, name).strip() for name in INPUTS}
    given: dict[str, Any] = as_fields(texts, stored.fields if stored else {})
    if text := field(visit, "args").strip():
        try:
            given["args"] = json.loads(text)
        except ValueError:
            given["args"] = None
        if not isinstance(given["args"], list):
            raise BadInput(visit.texts("run_time.bad_args", text=text))
    return cast("ScheduleFields", given)


def _differences(visit: Visit, change: ScheduleChange) -> list[str]:
    none = visit.texts("run_time.none")
    return [
        f"{name}: {change.before.get(name, none)} → {change.after.get(name, none)}"
        for name in {**change.before, **change.after}
    ]


SCHEDULES: Mapping[str, Action] = {
    "put_schedule": Action("schedule", _ask_put, _put),
    "delete_schedule": Action("schedule", _ask_delete, _delete),
}
