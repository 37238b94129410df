"""The actions on events: pause, resume, run, backfill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from clock.api import BackfillPlan, Events
from clock.errors import UnknownEvent
from clock.inspection.events.repairs import ALL_EVENTS, pause_event, resume_event
from clock.inspection.events.shown_actions import shown_action
from clock.printable import local_time
from clock.timetable import Event
from clock.web.action import Action, Change, Input, Question, nothing
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


def _events(visit: Visit) -> Events:
    return Events(visit.data.source.timetable, redis=visit.data.redis)


def _declared(visit: Visit, name: str) -> Event:
    event = visit.data.declared.get(name)
    if event is None:
        raise BadInput(visit.texts("fire.not_here", name=name), 409)
    return event


def _ask_pause(visit: Visit, names: Sequence[str]) -> Question:
    t = visit.texts
    lengths = [("", t("pause.until_resumed")), *((key, t(f"pause.for_{key}")) for key in LENGTHS)]
    inputs = [
        Input("for", t("pause.for"), choices=lengths),
        Input("until", t("pause.until", zone=_zone(visit, names)), t("pause.until_hint")),
        Input("note", t("pause.note"), t("pause.note_hint")),
    ]
    return Question(names, {"n": len(names)}, inputs)


def _pause(visit: Visit, names: Sequence[str]) -> Change:
    text = visit.field("until").strip() or choice("for", visit.field("for"), LENGTHS)
    until = instant("until", text, visit.now, _zone(visit, names), ahead=True)
    if until is not None and until <= visit.now:
        raise BadInput(visit.texts("pause.past_until", text=text))
    note = limited("note", visit.field("note"), LONGEST_NOTE)
    for name in names:
        pause_event(visit.data.redis, name, visit.now, until=until, by=visit.access.user, note=note)
    return ", ".join(names), len(names)


def _zone(visit: Visit, names: Sequence[str]) -> tzinfo:
    """The zone of these events; the visitor's if they have several zones, or none is known."""
    declared = visit.data.declared
    zones = {declared[name].zone if name in declared else visit.zone for name in names}
    return zones.pop() if len(zones) == 1 else visit.zone


def _ask_resume(visit: Visit, names: Sequence[str]) -> Question:
    return Question(names, {"n": len(names)})


def _resume(visit: Visit, names: Sequence[str]) -> Change:
    resumed = [name for name in names if resume_event(visit.data.redis, name, visit.now)]
    return ", ".join(names), len(resumed)


def _pause_all(visit: Visit, _: None) -> Change:
    pause_event(visit.data.redis, ALL_EVENTS, visit.now, until=None, by=visit.access.user, note="")
    return "all events", 1


def _resume_all(visit: Visit, _: None) -> Change:
    resume_event(visit.data.redis, ALL_EVENTS, visit.now)
    return "all events", 1


def _ask_fire(visit: Visit, names: Sequence[str]) -> Question:
    event = _declared(visit, names[0])
    action = shown_action(event.action, see_arguments=visit.access.see_arguments)
    text = "fire.pushes" if event.enqueues else "fire.runs"
    return Question(values={"name": event.name, "action": action}, text=text)


def _fire(visit: Visit, names: Sequence[str]) -> Change:
    jids = _events(visit).fire(names[0])
    return f"{names[0]}: {' '.join(jids)}", len(jids)


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


def _ask_backfill(visit: Visit, plan: BackfillPlan) -> Question:
    """Show each run of the period and its state."""
    zone, count = plan.event.zone, len(plan.to_run)
    skipped = ", ".join(f"{n} {state.value}" for state, n in plan.skipped.items()) or visit.texts("backfill.none")
    runs = [f"{local_time(run.at, zone)}: {run.state.value}" for run in plan.runs]
    values = {"n": count, "name": plan.event.name, "zone": zone, "skipped": skipped, "note": plan.note}
    return Question(runs, values, has_button=count > 0)


def _backfill(visit: Visit, plan: BackfillPlan) -> Change:
    ran = _events(visit).backfill(plan.event.name, plan.start, plan.end)
    period = f"{plan.event.name}: {plan.start.isoformat()} to {plan.end.isoformat()}"
    return period, sum(not run.refused for run in ran)


ACTIONS: Mapping[str, Action[Any]] = {
    "pause": Action("pause", _pause, _names, _ask_pause),
    "resume": Action("pause", _resume, _names, _ask_resume),
    "pause_all": Action("pause", _pause_all, nothing, is_danger=True),
    "resume_all": Action("pause", _resume_all, nothing),
    "fire": Action("fire", _fire, _names, _ask_fire),
    "backfill": Action("fire", _backfill, _plan, _ask_backfill),
}
