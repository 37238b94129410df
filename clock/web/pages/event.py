"""One event: rule, history with reasons, next runs, why it ran or did not; and the actions on events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from itertools import islice
from typing import Any

from clock.api import BackfillPlan, Events
from clock.clocks import from_ms, to_ms
from clock.errors import UnknownEvent
from clock.inspection.events.event_rows import EventRow, event_history
from clock.inspection.events.repairs import ALL_EVENTS, pause_event, resume_event
from clock.inspection.events.shown_actions import shown_action
from clock.inspection.events.why import periods_of, recorded, why
from clock.printable import duration, local_time
from clock.timetable import Event
from clock.web.action import Action, Change, Input, Question, nothing
from clock.web.charts.marks import kind_of
from clock.web.inputs import BadInput, choice, instant, limited
from clock.web.page import NotFound, Page, Visit
from clock.web.rendering import local

HISTORY = 100  # records on the page
STRIP = 60
UPCOMING = 20
MOST_DOTS = 120
LATE_KINDS = ("fired", "caught_up", "missed", "error")  # whose lateness is drawn
LONGEST_TIME = 100  # characters
PAUSE_LENGTHS = ("15m", "1h", "4h", "1d", "7d")
LONGEST_NOTE = 300
MOST_RUNS = 500  # of a backfill in one request; more need the command line, which shows its progress


def show(visit: Visit) -> Page:
    """The page of an event."""
    row = _row(visit, STRIP)
    history = event_history(visit.data.redis, row.name, HISTORY)
    upcoming = list(islice(_upcoming(row, visit.now), UPCOMING))
    hazards = visit.data.hazards(row.event, visit.now) if row.event else []
    return Page(
        template="event",
        title=row.name,
        section="schedules",
        json=lambda: {
            **row.as_json(see_arguments=visit.access.see_arguments),
            "history": history,
            "upcoming": [due.isoformat() for due in upcoming],
            "hazards": [one.text for one in hazards],
        },
        view={
            "row": row,
            "records": history,
            "upcoming": upcoming,
            "marks": _marks(visit, row),
            "most": STRIP,
            "counts": Counter(map(kind_of, row.records[-STRIP:])),
            "runs": _runs(history[::-1]),
            "late": _late(visit, row, history[::-1]),
            "hazards": hazards,
            "answer": None,
            "at": "",
        },
    )


def why_page(visit: Visit) -> Page:
    """An event at one time: what happened and why, or what will happen. Raises UnreadableTime, BadInput."""
    row = _row(visit, 1)
    at = limited("at", visit.request.get("at").strip(), LONGEST_TIME)
    answer = _answer(visit, row, at) if at else None
    return Page(
        template="why",
        title=visit.texts("why.title", name=row.name),
        section="schedules",
        json=lambda: {"event": row.name, "at": at, "why": answer},
        view={"row": row, "at": at, "answer": answer, "prevents": _preventing(visit, row, at) if at else []},
    )


def _row(visit: Visit, count: int) -> EventRow:
    name = visit.request.get("name")
    [row] = visit.data.events([name], visit.now, count)
    if row.event is None and not row.records and not row.schedule:
        raise NotFound(visit.texts("event.missing", name=name))
    return row


def _answer(visit: Visit, row: EventRow, at: str) -> list[str]:
    stretches = periods_of(at, row.zone, visit.now)
    if row.event is None:
        return [line for when in stretches for line in recorded(visit.data.redis, row.name, when)]
    return [line for when in stretches for line in why(visit.data.redis, row.event, when, visit.now)]


def _preventing(visit: Visit, row: EventRow, at: str) -> list[str]:
    """The reasons that could still prevent a future run; empty for a past time."""
    event, due = row.event, row.next_due
    ends = [when.end for when in periods_of(at, row.zone, visit.now)]
    if event is None or due is None or max(ends) <= max(visit.now, due):
        return []
    t, condition = visit.texts, event.condition
    causes = {
        t("why.prevent_clock"): not visit.data.status().clocks,
        t("why.prevent_condition", name=getattr(condition, "__qualname__", condition)): condition is not None,
        t("why.prevent_overlap"): event.overlap != "allow",
        t("why.prevent_excepted"): event.options.adjustments.excepted is not None,
        t("why.prevent_pause"): row.pause is None,
    }
    return [text for text, is_possible in causes.items() if is_possible]


def _upcoming(row: EventRow, now: datetime) -> Iterator[datetime]:
    """The next due instants, from the oldest that is not decided on."""
    event, due = row.event, row.next_due
    if event is None or due is None:
        return
    anchor = row.anchor or now.replace(microsecond=0)
    yield due
    if not event.options.asks_again:  # when that is due after the next depends on its condition
        end = to_ms(due) // 1000 + 100 * 366 * 86_400
        for seconds in event.due_between(to_ms(due) // 1000, end, anchor=anchor, previous=due):
            yield from_ms(seconds * 1000)


def _marks(visit: Visit, row: EventRow) -> list[tuple[Mapping[str, Any], str, str]]:
    """The strip's marks: record, link to the reason, what the pointer shows."""
    found = []
    for record in row.records[-STRIP:]:
        due = from_ms(record["due"])
        at = f"{due.astimezone(row.zone):%Y-%m-%d %H:%M:%S}"
        words = visit.texts(f"decision.{kind_of(record)}")
        late = f", {duration(record['late_ms'] / 1000)} late" if record.get("late_ms") else ""
        title = f"{local(due, row.zone, visit.now, exact=True)}: {words}{late}"
        found.append((record, visit.request.link("/why", name=row.name, at=at), title))
    return found


def _late(visit: Visit, row: EventRow, records: Sequence[Mapping[str, Any]]) -> list[tuple[int, str, str]]:
    """The lateness of the event's decisions in ms, oldest first: (ms, kind, text)."""
    found = []
    for record in records[-MOST_DOTS:]:
        late, kind = record.get("late_ms"), kind_of(record)
        if late is not None and kind in LATE_KINDS:
            at = local(from_ms(record["due"]), row.zone, visit.now, exact=True)
            words = visit.texts(f"decision.{kind}")
            text = visit.texts("lateness.dot", at=at, words=words, length=duration(late / 1000))
            found.append((max(0, late), kind, text))
    return found


def _runs(records: Sequence[Mapping[str, Any]]) -> list[tuple[float, bool]]:
    """The run times of the event's jobs in seconds, oldest first, and whether each has failed."""
    outcomes = [
        (outcome["took_ms"] / 1000, outcome["outcome"] != "done")
        for record in records
        for outcome in record.get("outcomes", {}).values()
    ]
    return outcomes[-MOST_DOTS:]


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
    lengths = [("", t("pause.until_resumed")), *((key, t(f"pause.for_{key}")) for key in PAUSE_LENGTHS)]
    inputs = [
        Input("for", t("pause.for"), choices=lengths),
        Input("until", t("pause.until", zone=_zone(visit, names)), t("pause.until_hint")),
        Input("note", t("pause.note"), t("pause.note_hint")),
    ]
    return Question(names, {"n": len(names)}, inputs)


def _pause(visit: Visit, names: Sequence[str]) -> Change:
    text = visit.field("until").strip() or choice("for", visit.field("for"), PAUSE_LENGTHS)
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
    zone, count = plan.event.zone, len(plan.to_run)
    skipped = ", ".join(f"{n} {state.value}" for state, n in plan.skipped.items()) or visit.texts("backfill.none")
    runs = [f"{local_time(run.at, zone)}: {run.state.value}" for run in plan.runs]
    values = {"n": count, "name": plan.event.name, "zone": zone, "skipped": skipped, "note": plan.note}
    return Question(runs, values, has_button=count > 0)


def _backfill(visit: Visit, plan: BackfillPlan) -> Change:
    ran = _events(visit).backfill(plan.event.name, plan.start, plan.end)
    period = f"{plan.event.name}: {plan.start.isoformat()} to {plan.end.isoformat()}"
    return period, sum(not run.refused for run in ran)


PAGES = {"/event": show, "/why": why_page}
ACTIONS: Mapping[str, Action[Any]] = {
    "pause": Action("pause", _pause, _names, _ask_pause),
    "resume": Action("pause", _resume, _names, _ask_resume),
    "pause_all": Action("pause", _pause_all, nothing, is_danger=True),
    "resume_all": Action("pause", _resume_all, nothing),
    "fire": Action("fire", _fire, _names, _ask_fire),
    "backfill": Action("fire", _backfill, _plan, _ask_backfill),
}
