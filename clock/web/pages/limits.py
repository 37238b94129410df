"""Limits: their maximum, the jobs that hold a place, and those that are blocked; setting a maximum."""

from __future__ import annotations

from dataclasses import asdict

from clock.api import Limits
from clock.inspection.jobs.limits import limits
from clock.web.action import Action, Change, Input, Question
from clock.web.inputs import number
from clock.web.page import NotFound, Page, Visit

MOST = 100  # limits on a page


def show(visit: Visit) -> Page:
    """The limits by name, as `clock limits list` shows them."""
    views = limits(visit.data.redis, shown=MOST)
    return Page(
        template="blocked",
        section="queues",
        json=lambda: [asdict(view) for view in views[:MOST]],
        view={"limits": views[:MOST], "total": len(views)},
    )


def _name(visit: Visit) -> str:
    """The limit that is meant. Raises NotFound."""
    name = visit.field("name")
    if all(view.name != name for view in Limits(redis=visit.data.redis).current()):
        raise NotFound(visit.texts("set_limit.missing", name=name))
    return name


def _ask(visit: Visit, name: str) -> Question:
    t = visit.texts
    return Question(values={"name": name}, inputs=[Input("maximum", t("set_limit.maximum"), t("set_limit.hint"))])


def _set(visit: Visit, name: str) -> Change:
    text, changed = visit.field("maximum").strip(), Limits(redis=visit.data.redis)
    maximum = number("maximum", text)
    if text:
        changed.set_maximum(name, maximum)
    else:
        changed.reset(name)
    return f"{name}: {text or 'as in the code'}", 1


PAGES = {"/blocked": show}
ACTIONS = {"set_limit": Action("pause", _set, _name, _ask)}
