"""Backfilling an event: the question shows each run of the period and its state."""

from __future__ import annotations

from collections.abc import Mapping

from clock.api import BackfillPlan, Events
from clock.printable import local_time
from clock.web.actions.action import Action, Question, change, done, field
from clock.web.input.inputs import BadInput, instant
from clock.web.page import Page, Visit
from clock.web.request import Response

MOST_RUNS = 500  # in one request; more need the command line, which shows its progress


def _ask(visit: Visit) -> Question:
    t, plan = visit.texts, _plan(visit)
    zone = plan.event.zone
    count = len(plan.to_run)
    skipped = ", ".join(f"{n} {state.value}" for state, n in plan.skipped.items()) or t("backfill.none")
    return Question(
        title=t("backfill.title" if count else "backfill.nothing", n=count, name=plan.event.name),
        text=t("backfill.text", zone=zone, skipped=skipped, note=plan.note),
        button=t("backfill.button") if count else "",
        names=[f"{local_time(run.at, zone)}: {run.state.value}" for run in plan.runs],
    )


def _run(visit: Visit) -> Response | Page:
    plan = _plan(visit)
    ran = _events(visit).backfill(plan.event.name, plan.start, plan.end)
    count = sum(not run.refused for run in ran)
    period = f"{plan.start.isoformat()} to {plan.end.isoformat()}"
    return done(visit, "backfill", change(visit, "backfill", f"{plan.event.name}: {period}", count))


def _plan(visit: Visit) -> BackfillPlan:
    """The plan that the fields ask for: event, from, to (empty: now)."""
    name, t = field(visit, "event"), visit.texts
    event = visit.data.declared.get(name)
    if event is None:
        raise BadInput(t("fire.not_here", name=name), 409)
    start = instant("from", field(visit, "from"), visit.now, event.zone)
    end = instant("to", field(visit, "to"), visit.now, event.zone) or visit.now
    if start is None or start >= end:
        raise BadInput(t("backfill.period", start=field(visit, "from"), end=field(visit, "to") or "now"))
    plan = _events(visit).plan_backfill(name, start, end)
    if len(plan.to_run) > MOST_RUNS:
        raise BadInput(t("backfill.many", n=len(plan.to_run), most=MOST_RUNS))
    return plan


def _events(visit: Visit) -> Events:
    return Events(visit.data.source.timetable, redis=visit.data.redis)


BACKFILLS: Mapping[str, Action] = {"backfill": Action("fire", _ask, _run)}
