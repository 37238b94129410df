"""Setting the maximum of a concurrency limit."""

from __future__ import annotations

from collections.abc import Mapping

from clock.api import Limits
from clock.web.actions.action import Action, Input, Question, change, done, field, question
from clock.web.input.inputs import number
from clock.web.page import NotFound, Page, Visit
from clock.web.request import Response


def _limit(visit: Visit) -> str:
    """The limit that is meant. Raises NotFound."""
    name = field(visit, "name")
    if all(view.name != name for view in Limits(redis=visit.data.redis).current()):
        raise NotFound(visit.texts("set_limit.missing", name=name))
    return name


def _ask(visit: Visit) -> Question:
    t, name = visit.texts, _limit(visit)
    maximum = Input("maximum", t("set_limit.maximum"), t("set_limit.hint"))
    return question(visit, "set_limit", inputs=[maximum], name=name)


def _set(visit: Visit) -> Response | Page:
    text = field(visit, "maximum").strip()
    maximum, name, limits = number("maximum", text), _limit(visit), Limits(redis=visit.data.redis)
    if text:
        limits.set_maximum(name, maximum)
    else:
        limits.reset(name)
    return done(visit, "set_limit", change(visit, "set_limit", f"{name}: {text or 'as in the code'}"))


LIMITS: Mapping[str, Action] = {"set_limit": Action("pause", _ask, _set)}
