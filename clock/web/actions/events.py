"""Pausing, resuming and running events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from functools import partial

from clock.api import Events
from clock.errors import UnknownEvent
from clock.inspection.events.repairs import ALL_EVENTS, pause_event, resume_event
from clock.inspection.events.shown_actions import shown_action
from clock.web.actions.action import Action, Input, Question, change, done, field, fields, question
from clock.web.input.inputs import BadInput, choice, instant, limited
from clock.web.page import Page, Visit
from clock.web.request import Response

LENGTHS = ("15m", "1h", "4h", "1d", "7d")
LONGEST_NOTE = 300


def _events(visit: Visit) -> list[str]:
    """The events that are meant; those that neither the clock file nor a clock knows are an error."""
    known = set(visit.data.event_names())
    names = list(dict.fromkeys(fields(visit, "event")))
    for name in names:
        if name not in known:
            raise UnknownEvent(name, sorted(known))
    if not names:
        raise BadInput(visit.texts("action.no_event"))
    return names


def _ask_pause(visit: Visit) -> Question:
    t, names = visit.texts, _events(visit)
    lengths = [("", t("pause.until_resumed")), *((key, t(f"pause.for_{key}")) for key in LENGTHS)]
    inputs = [
        Input("for", t("pause.for"), choices=lengths),
        Input("until", t("pause.until", zone=_zone(visit, names)), t("pause.until_hint")),
        Input("note", t("pause.note"), t("pause.note_hint")),
    ]
    return question(visit, "pause", names, inputs=inputs, n=len(names))


def _pause(visit: Visit) -> Response | Page:
    names = _events(visit)
    until = _until(visit, _zone(visit, names))
    note = limited("note", field(visit, "note"), LONGEST_NOTE)
    for name in names:
        pause_event(visit.data.redis, name, visit.now, until=until, by=visit.access.user, note=note)
    return done(visit, "pause", change(visit, "pause", ", ".join(names), len(names)))


def _zone(visit: Visit, names: Sequence[str]) -> tzinfo:
    """The zone of these events; the visitor's if they have several zones, or none is known."""
    declared = visit.data.declared
    zones = {declared[name].zone if name in declared else visit.zone for name in names}
    return zones.pop() if len(zones) == 1 else visit.zone


def _until(visit: Visit, zone: tzinfo) -> datetime | None:
    text = field(visit, "until").strip() or choice("for", field(visit, "for"), LENGTHS)
    until = instant("until", text, visit.now, zone, ahead=True)
    if until is not None and until <= visit.now:
        raise BadInput(visit.texts("pause.past_until", text=text))
    return until


def _ask_resume(visit: Visit) -> Question:
    names = _events(visit)
    return question(visit, "resume", names, n=len(names))


def _resume(visit: Visit) -> Response | Page:
    names = _events(visit)
    resumed = [name for name in names if resume_event(visit.data.redis, name, visit.now)]
    return done(visit, "resume", change(visit, "resume", ", ".join(names), len(resumed)))


def _pause_all(visit: Visit) -> Response | Page:
    pause_event(visit.data.redis, ALL_EVENTS, visit.now, until=None, by=visit.access.user, note="")
    return done(visit, "pause_all", change(visit, "pause_all", "all events"))


def _resume_all(visit: Visit) -> Response | Page:
    resume_event(visit.data.redis, ALL_EVENTS, visit.now)
    return done(visit, "resume_all", change(visit, "resume_all", "all events"))


def _ask_fire(visit: Visit) -> Question:
    t, [name] = visit.texts, _events(visit)[:1]
    event = visit.data.declared.get(name)
    if event is None:
        raise BadInput(t("fire.not_here", name=name), 409)
    action = shown_action(event.action, see_arguments=visit.access.see_arguments)
    text = "fire.pushes" if event.enqueues else "fire.runs"
    return Question(t("fire.title", name=name), t(text, action=action), t("fire.button"))


def _fire(visit: Visit) -> Response | Page:
    [name] = _events(visit)[:1]
    jids = Events(visit.data.source.timetable, redis=visit.data.redis).fire(name)
    return done(visit, "fire", change(visit, "fire", f"{name}: {' '.join(jids)}", len(jids)))


EVENTS: Mapping[str, Action] = {
    "pause": Action("pause", _ask_pause, _pause),
    "resume": Action("pause", _ask_resume, _resume),
    "pause_all": Action("pause", partial(question, key="pause_all", is_danger=True), _pause_all),
    "resume_all": Action("pause", partial(question, key="resume_all"), _resume_all),
    "fire": Action("fire", _ask_fire, _fire),
}
