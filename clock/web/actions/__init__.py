from collections.abc import Mapping

from clock.web.actions.action import Action
from clock.web.actions.backfills import BACKFILLS
from clock.web.actions.bulk import BULK
from clock.web.actions.display import DISPLAY
from clock.web.actions.events import EVENTS
from clock.web.actions.jobs import JOBS
from clock.web.actions.limits import LIMITS
from clock.web.actions.processes import PROCESSES
from clock.web.actions.schedules import SCHEDULES

#: name, which is the last part of its path -> the action
ACTIONS: Mapping[str, Action] = {
    **{**EVENTS, **BACKFILLS, **JOBS, **BULK},
    **{**LIMITS, **PROCESSES, **SCHEDULES, **DISPLAY},
}

__all__ = ["ACTIONS"]
