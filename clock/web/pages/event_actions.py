"""The actions on events: pause, resume, run, backfill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from functools import partial

from clock.api import BackfillPlan, Events
from clock.errors import UnknownEvent
from clock.inspection.events.repairs import ALL_EVENTS, pause_event, resume_event
from clock.inspection.events.shown_actions import shown_action
from clock.printable import local_time
from clock.timetable import Event
from clock.web.action import Action, Input, Question, done, question
from clock.web.http import Response
from clock.web.inputs import BadInput, choice, instant, limited
from clock.web.page import Visit

LENGTHS = ("15m", "1h", "4h", "1d", "7d")
LONGEST_NOTE = 300
MOST_RUNS = 500  # of a backfill in one request; more need the command line, which shows its progress


def _names(visit: Visit) -> list[str]:
    """The events that are meant; those that neither the clock file nor a clock knows are an error."""
    known = set(visit.data.event_names())
    names = list(dict.fromkeys(visit.fields("event")))
    for name in names:
        if name not in known:
            raise UnknownEvent(name, sorted(known))
    if not names:
        raise BadInput(visit.texts("action.no_event"))
    return names


def _declared(visit: Visit, name: str) -> Event:
    event = visit.data.declared.get(name)
    if event is None:
        raise BadInput(visit.texts("fire.not_here", name=name), 409)
    return event


def _events(visit: Visit) -> Events:
    return Events(visit.data.source.timetable, redis=visit.data.redis)


def _ask_pause(visit: Visit) -> Question:
    t, names = visit.texts, _names(visit)
    lengths = [("", t("pause.until_resumed")), *((key, t(f"pause.for_{key}")) for key in LENGTHS)]
    inputs = [
        Input("for", t("pause.for"), choices=lengths),
        Input("until", t("pause.until", zone=_zone(visit, names)), t("pause.until_hint")),
        Input("note", t("pause.note"), t("pause.note_hint")),
    ]
    return question(visit, "pause", names, inputs=inputs, n=len(names))


def _pause(visit: Visit) -> Response:
    names = _names(visit)
    until = _until(visit, _zone(visit, names))
    note = limited("note", visit.field("note"), LONGEST_NOTE)
    for name in names:
        pause_event(visit.data.redis, name, visit.now, until=until, by=visit.access.user, note=note)
    return done(visit, "pause", ", ".join(names), len(names))


def _zone(visit: Visit, names: Sequence[str]) -> tzinfo:
    """The zone of these events; the visitor's if they have several zones, or none is known."""
    declared = visit.data.declared
    zones = {declared[name].zone if name in declared else visit.zone for name in names}
    return zones.pop() if len(zones) == 1 else visit.zone


def _until(visit: Visit, zone: tzinfo) -> datetime | None:
    text = visit.field("until").strip() or choice("for", visit.field("for"), LENGTHS)
    until = instant("until", text, visit.now, zone, ahead=True)
    if until is not None and until <= visit.now:
        raise BadInput(visit.texts("pause.past_until", text=text))
    return until


def _ask_resume(visit: Visit) -> Question:
    names = _names(visit)
    return question(visit, "resume", names, n=len(names))


def _resume(visit: Visit) -> Response:
    names = _names(visit)
    resumed = [name for name in names if resume_event(visit.data.redis, name, visit.now)]
    return done(visit, "resume", ", ".join(names), len(resumed))


def _pause_all(visit: Visit) -> Response:
    pause_event(visit.data.redis, ALL_EVENTS, visit.now, until=None, by=visit.access.user, note="")
    return done(visit, "pause_all", "all events")


def _resume_all(visit: Visit) -> Response:
    resume_event(visit.data.redis, ALL_EVENTS, visit.now)
    return done(visit, "resume_all", "all events")


def _ask_fire(visit: Visit) -> Question:
    event = _declared(visit, _names(visit)[0])
    action = shown_action(event.action, see_arguments=visit.access.see_arguments)
    text = "fire.pushes" if event.enqueues else "fire.runs"
    return question(visit, "fire", text=text, name=event.name, action=action)


def _fire(visit: Visit) -> Response:
    name = _names(visit)[0]
    jids = _events(visit).fire(name)
    return done(visit, "fire", f"{name}: {' '.join(jids)}", len(jids))


def _ask_backfill(visit: Visit) -> Question:
    """Show each run of the period and its state."""
    t, plan = visit.texts, _plan(visit)
    name, zone, count = plan.event.name, plan.event.zone, len(plan.to_run)
    skipped = ", ".join(f"{n} {state.value}" for state, n in plan.skipped.items()) or t("backfill.none")
    runs = [f"{local_time(run.at, zone)}: {run.state.value}" for run in plan.runs]
    asked = question(visit, "backfill", runs, n=count, name=name, zone=zone, skipped=skipped, note=plan.note)
    return asked if count else replace(asked, title=t("backfill.nothing", name=name), button="")


def _backfill(visit: Visit) -> Response:
    plan = _plan(visit)
    ran = _events(visit).backfill(plan.event.name, plan.start, plan.end)
    count = sum(not run.refused for run in ran)
    return done(visit, "backfill", f"{plan.event.name}: {plan.start.isoformat()} to {plan.end.isoformat()}", count)


def _plan(visit: Visit) -> BackfillPlan:
    """The plan that the fields ask for: event, from, to (empty: now)."""
    t, event = visit.texts, _declared(visit, visit.field("event"))
    start = instant("from", visit.field("from"), visit.now, event.zone)
    end = instant("to", visit.field("to"), visit.now, event.zone) or visit.now
    if start is None or start >= end:
        raise BadInput(t("backfill.period", start=visit.field("from"), end=visit.field("to") or "now"))
    plan = _events(visit).plan_backfill(event.name, start, end)
    if len(plan.to_run) > MOST_RUNS:
        raise BadInput(t("backfill.many", n=len(plan.to_run), most=MOST_RUNS))
    return plan


ACTIONS = {
    "pause": Action("pause", _ask_pause, _pause),
    "resume": Action("pause", _ask_resume, _resume),
    "pause_all": Action("pause", partial(question, key="pause_all", is_danger=True), _pause_all),
    "resume_all": Action("pause", partial(question, key="resume_all"), _resume_all),
    "fire": Action("fire", _ask_fire, _fire),
    "backfill": Action("fire", _ask_backfill, _backfill),
}
