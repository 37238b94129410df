"""Limits: their maximum, the jobs that hold a place, and those that are blocked; setting a maximum."""

from __future__ import annotations

from dataclasses import asdict

from clock.api import Limits
from clock.inspection.jobs.limits import limits
from clock.web.action import Action, Input, Question, done, question
from clock.web.http import Response
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


def _ask(visit: Visit) -> Question:
    t = visit.texts
    maximum = Input("maximum", t("set_limit.maximum"), t("set_limit.hint"))
    return question(visit, "set_limit", inputs=[maximum], name=_name(visit))


def _set(visit: Visit) -> Response:
    text = visit.field("maximum").strip()
    maximum, name, changed = number("maximum", text), _name(visit), Limits(redis=visit.data.redis)
    if text:
        changed.set_maximum(name, maximum)
    else:
        changed.reset(name)
    return done(visit, "set_limit", f"{name}: {text or 'as in the code'}")


PAGES = {"/blocked": show}
ACTIONS = {"set_limit": Action("pause", _ask, _set)}
