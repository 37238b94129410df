"""Schedules made at run time: the list, the form for a new one or a change, and what the form does.

The question before a change shows the fields that change, and the next ten runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from clock.api.schedules import Schedule, ScheduleChange, ScheduleFields, Schedules
from clock.inspection.events.schedules import next_runs
from clock.inspection.events.shown_actions import hides_arguments, shown_fields
from clock.timetable.clock_file.zone_names import find_zone
from clock.timetable.periods import parse_period, period_words
from clock.web.action import Action, Question, went_back
from clock.web.http import Response
from clock.web.inputs import BadInput, number
from clock.web.page import Page, Visit

SHOWN = ("job", "cron", "every", "rrule", "sun", "at", "tz", "until", "args", "queue")
#: The fields that the form has an input for, besides name, job and args.
INPUTS = ("cron", "every", "at", "tz", "until", "queue")
_KINDS = ("cron", "every", "rrule", "sun")

Fields = Mapping[str, Any]


def show(visit: Visit) -> Page:
    """The schedules in Redis. The query's `edit` names the schedule that fills the form."""
    stored = _schedules(visit).stored()
    edited = next((one for one in stored if one.name == visit.request.get("edit")), None)
    hides = edited is not None and _hides(visit, edited.fields)
    form = as_texts(_shown(visit, edited)) if edited else dict.fromkeys(("name", "version", *SHOWN), "")
    return Page(
        template="run_time",
        section="schedules",
        json=lambda: [_shown(visit, one) for one in stored],
        view={
            "stored": [as_texts(_shown(visit, one)) for one in stored],
            "form": {**form, "args": ""} if hides else form,  # an empty text keeps the arguments that are stored
            "hides_arguments": hides,
        },
    )


def _shown(visit: Visit, one: Schedule) -> Fields:
    shown = shown_fields(one.fields, see_arguments=visit.access.see_arguments)
    return {"name": one.name, "version": one.version, **shown}


def _hides(visit: Visit, fields: Fields) -> bool:
    return hides_arguments(fields, see_arguments=visit.access.see_arguments)


def as_texts(stored: Fields) -> dict[str, Any]:
    """The fields of a stored schedule as the form shows them."""
    every, at = stored.get("every", ""), stored.get("at") or ""
    texts = {
        "every": every if isinstance(every, str) else _words(every),
        "at": ", ".join(map(str, at)) if isinstance(at, (list, tuple)) else str(at),
        "args": json.dumps(stored.get("args", []), ensure_ascii=False),
    }
    return {**dict.fromkeys(SHOWN, ""), **stored, **texts}


def _words(every: object) -> str:
    try:
        return period_words(parse_period(every))
    except ValueError:  # another program wrote it
        return str(every)


def _as_fields(texts: Mapping[str, str], stored: Fields) -> Fields:
    """The fields that the texts of the inputs mean; a field without an input stays as it is stored.

    A text that was not edited gives the stored value, so it does not start the schedule again. A `cron` or an
    `every` replaces a stored `rrule` or `sun`.
    """
    shown = as_texts(stored)
    given = {
        name: stored[name] if name in stored and text == shown[name] else text
        for name, text in texts.items()
        if text
    }
    replaced = _KINDS if any(kind in given for kind in _KINDS) else ()
    kept = {name: value for name, value in stored.items() if name not in (*INPUTS, *replaced, "job", "args")}
    return {**kept, **given}


def _ask_put(visit: Visit, schedules: Schedules) -> Question:
    t, name = visit.texts, visit.field("name")
    job, fields = visit.field("job"), _fields(visit)
    change, event = schedules.preview(name, job=job, **fields), schedules.event(name, job=job, **fields)
    zone = find_zone(visit.field("tz") or "UTC")
    runs = [
        t("run_time.next", at=f"{at.astimezone(zone):%a %Y-%m-%d %H:%M:%S %Z}")
        for at in next_runs(event, visit.now)
    ]
    lines = [*_differences(visit, job, change), *(runs or [t("run_time.never")])]
    return Question(lines, {"name": name, "restarts": t("run_time.restarts") if change.restarts else ""})


def _put(visit: Visit, schedules: Schedules) -> Response:
    version = number("version", visit.field("version"))
    schedules.put(visit.field("name"), job=visit.field("job"), version=version, **_fields(visit))
    visit.data.schedules_changed()
    return went_back(visit, "put_schedule")


def _ask_delete(visit: Visit, _: int) -> Question:
    return Question([visit.field("name")], {"name": visit.field("name")})


def _delete(visit: Visit, version: int) -> Response:
    is_deleted = _schedules(visit).delete(visit.field("name"), version=version)
    visit.data.schedules_changed()
    return went_back(visit, "delete_schedule", int(is_deleted))


def _version(visit: Visit) -> int:
    version = number("version", visit.field("version"))
    if not version:
        raise BadInput(visit.texts("run_time.no_version"))
    return version


def _schedules(visit: Visit) -> Schedules:
    timetable = visit.data.source.timetable
    declared = timetable.by_name if timetable else None
    return Schedules(redis=visit.data.redis, by=visit.access.user, source=visit.request.remote, declared=declared)


def _fields(visit: Visit) -> ScheduleFields:
    found = _schedules(visit).get(visit.field("name"))
    stored = found.fields if found else {}
    texts = {name: visit.field(name).strip() for name in INPUTS}
    return cast("ScheduleFields", {**_as_fields(texts, stored), **_args(visit, stored)})


def _args(visit: Visit, stored: Fields) -> Fields:
    """The arguments that the form has, or those that are stored if the form hides them. Raises BadInput."""
    name, job, text = visit.field("name"), visit.field("job"), visit.field("args").strip()
    if text:
        try:
            args = json.loads(text)
        except (ValueError, RecursionError):
            args = None
        if not isinstance(args, list):
            raise BadInput(visit.texts("run_time.bad_args", text=text))
        return {"args": args}
    if not _hides(visit, stored):
        return {}
    if job != stored.get("job"):  # whose class may show them
        raise BadInput(visit.texts("run_time.hidden_args_of_another_job", name=name, job=job))
    return {"args": stored["args"]}


def _differences(visit: Visit, job: str, change: ScheduleChange) -> list[str]:
    """The fields that change, a line for each; words replace hidden arguments."""
    hidden = {"args": visit.texts("run_time.hidden")}
    before, after = (
        {**fields, **hidden} if _hides(visit, {"job": job, **fields}) else fields
        for fields in (change.before, change.after)
    )
    none = visit.texts("run_time.none")
    return [f"{name}: {before.get(name, none)} → {after.get(name, none)}" for name in {**before, **after}]


PAGES = {"/run-time": show}
ACTIONS: Mapping[str, Action[Any]] = {
    "put_schedule": Action("schedule", _put, _schedules, _ask_put),
    "delete_schedule": Action("schedule", _delete, _version, _ask_delete, is_danger=True),
}
