from collections.abc import Mapping

from clock.web.actions.action import Action, Question, confirm_page
from clock.web.actions.backfills import BACKFILLS
from clock.web.actions.bulk import BULK
from clock.web.actions.display import DISPLAY
from clock.web.actions.events import EVENTS
from clock.web.actions.jobs import JOBS
from clock.web.actions.limits import LIMITS
from clock.web.actions.processes import PROCESSES
from clock.web.actions.schedules import SCHEDULES
from clock.web.page import Page, Show, Visit
from clock.web.request import Response

#: name, which is the last part of its path -> the action
ACTIONS: Mapping[str, Action] = {
    **{**EVENTS, **BACKFILLS, **JOBS, **BULK},
    **{**LIMITS, **PROCESSES, **SCHEDULES, **DISPLAY},
}


def confirm(name: str) -> Show:
    """The page that asks before the action is done."""
    return lambda visit: confirm_page(name, ACTIONS[name], visit)


def perform(name: str, visit: Visit) -> Response | Page:
    """Do the action that a form asks for; the caller has checked the visitor's access."""
    return ACTIONS[name].do(visit)


__all__ = ["ACTIONS", "Action", "Question", "confirm", "perform"]
