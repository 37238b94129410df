"""Actions of events and stored schedules as they may be shown: without the arguments that must stay hidden.

A job class hides arguments from everybody (`redact`, `encrypt`). The dashboard hides all arguments from visitors
without that permission.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from clock.job import registry
from clock.job.options import payload_fields
from clock.job.push.setter import Setter
from clock.job.redaction import HIDDEN, shown_args
from clock.timetable.action import Action, Call, Enqueue
from clock.timetable.naming import name_of

LAMBDA = "<lambda>"


def shown_action(action: Action, *, see_arguments: bool = True) -> str:
    """The action in words. Without `see_arguments` it is only the name of the job or of the function."""
    if isinstance(action, Enqueue):
        return action.words(_shown(_rules_of(action.job), list(action.args)) if see_arguments else ())
    if see_arguments:
        return str(action)
    return _bare_name(action.function if isinstance(action, Call) else action.handler)


def shown_fields(fields: Mapping[str, Any], *, see_arguments: bool = True) -> Mapping[str, Any]:
    """The fields of a stored schedule. Without `see_arguments` they have no `args`.

    All arguments of an unknown job class are hidden: this process does not know which of them the class hides.
    """
    if "args" not in fields:
        return fields
    if not see_arguments:
        return {name: value for name, value in fields.items() if name != "args"}
    return {**fields, "args": _stored_args(fields)}


def hides_arguments(fields: Mapping[str, Any], *, see_arguments: bool = True) -> bool:
    """Whether a stored schedule has arguments that `shown_fields` does not show."""
    return shown_fields(fields, see_arguments=see_arguments).get("args") != fields.get("args")


def _rules_of(job: Any) -> Mapping[str, Any]:
    """The payload's fields that hide arguments, among others. A task of Django has none."""
    if isinstance(job, Setter):
        return payload_fields(job.job, job.options)
    return payload_fields(job, {}) if isinstance(job, type) else {}


def _stored_args(fields: Mapping[str, Any]) -> Sequence[object]:
    name, args = fields.get("job"), fields["args"]
    if not isinstance(args, list):  # another program wrote it
        return [HIDDEN]
    if not isinstance(name, str) or not registry.knows(name):
        return [HIDDEN] * len(args)
    return _shown(payload_fields(registry.lookup(name), {}), args)


def _shown(rules: Mapping[str, Any], args: list[object]) -> Sequence[object]:
    return cast("Sequence[object]", shown_args({**rules, "args": args}))


def _bare_name(function: Callable[..., object]) -> str:
    """The name of a function without the arguments of a partial, and without the source of a lambda."""
    while isinstance(function, partial):
        function = function.func
    return LAMBDA if getattr(function, "__name__", "") == LAMBDA else name_of(function)
