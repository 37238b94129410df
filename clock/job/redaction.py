"""Hidden arguments: a job class names them in `redact`, and listings show `[hidden]` for them.

The payload lists the hidden arguments, so a program that lists jobs does not need their classes: the positions of
arguments as numbers, and names, which hide the values under them in a dict.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence

from clock.errors import JobError
from clock.job.encryption import is_encrypted

HIDDEN = "[hidden]"
ENCRYPTED = "[encrypted]"


def hidden_places(job: str, perform: Callable[..., object], names: Sequence[str]) -> list[int | str]:
    """The payload's field for `redact = names`. Raises JobError if `perform` has no such argument."""
    own = [*inspect.signature(perform).parameters.values()][1:]
    parameters = [one.name for one in own if one.kind is not one.VAR_POSITIONAL]
    for name in names:
        if name not in parameters:
            raise JobError(
                f"{job}: redact names {name!r}, which perform does not take; "
                f"it takes {', '.join(parameters) or 'nothing'}"
            )
    return [*(parameters.index(name) for name in names), *names]


def shown_args(payload: Mapping[str, object]) -> object:
    """A payload's arguments as they may be shown."""
    args, hidden = payload.get("args"), payload.get("redact")
    if isinstance(args, list) and is_encrypted(payload):
        args = [*args[:-1], ENCRYPTED]
    if not isinstance(args, list) or not isinstance(hidden, list):
        return args
    return [HIDDEN if place in hidden else _without(value, hidden) for place, value in enumerate(args)]


def _without(value: object, hidden: Sequence[object]) -> object:
    if isinstance(value, dict):
        return {name: HIDDEN if name in hidden else _without(item, hidden) for name, item in value.items()}
    if isinstance(value, list):
        return [_without(item, hidden) for item in value]
    return value
