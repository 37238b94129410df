"""What `perform` may look like, checked when its class is made."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING

from clock.errors import JobError

if TYPE_CHECKING:
    from clock.job.job import Job

HOOKS = ("retry_in", "retries_exhausted")
#: What a worker calls, or puts there, itself.
OURS = ("run", "arun", "for_context", "is_coroutine", "context")


def check_perform(job: type[Job]) -> None:
    """Check that a worker can call `perform` and the hooks that the class defines. Raises JobError."""
    perform = vars(job).get("perform")
    if perform is not None:
        _check(job.__qualname__, perform)
    for name in OURS:
        if name in vars(job):
            raise JobError(f"{job.__qualname__}.{name} hides a method of Job; rename yours")
    _check_init(job)
    for hook in HOOKS:
        if inspect.iscoroutinefunction(vars(job).get(hook)):
            raise JobError(f"{job.__qualname__}.{hook} is `async def`; it must be a plain method")


def _check_init(job: type[Job]) -> None:
    init = vars(job).get("__init__")
    if not callable(init):
        return
    for parameter in _parameters(init)[1:]:
        is_rest = parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        if parameter.default is inspect.Parameter.empty and not is_rest:
            raise JobError(
                f"{job.__qualname__}.__init__ requires {parameter.name!r}, but a worker creates a job without "
                "arguments; give it a default, or move it to perform"
            )


def _check(name: str, perform: object) -> None:
    if isinstance(perform, (staticmethod, classmethod)) or not callable(perform):
        raise JobError(f"{name}.perform is a {type(perform).__name__}; write def perform(self, ...)")
    if inspect.isgeneratorfunction(perform) or inspect.isasyncgenfunction(perform):
        raise JobError(f"{name}.perform is a generator, so calling it runs nothing; remove the yield")
    parameters = _parameters(perform)
    if not parameters or parameters[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise JobError(f"{name}.perform has no self; write def perform(self, ...)")
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is inspect.Parameter.empty:
            raise JobError(
                f"{name}.perform can't have keyword-only arguments such as {parameter.name!r}: "
                "a payload holds arguments by position only; remove the `*`"
            )


def _parameters(perform: Callable[..., object]) -> list[inspect.Parameter]:
    return list(inspect.signature(perform).parameters.values())
