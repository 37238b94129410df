"""What `perform` may look like, checked when its class is made."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING

from clock.errors import JobError

if TYPE_CHECKING:
    from clock.job.job import Job

HOOKS = ("retry_in", "retries_exhausted")


def check_perform(job: type[Job]) -> None:
    """Check that a worker can call `perform` and the hooks that the class defines. Raises JobError."""
    perform = vars(job).get("perform")
    if perform is not None:
        _check(job.__qualname__, perform)
    for hook in HOOKS:
        if inspect.iscoroutinefunction(vars(job).get(hook)):
            raise JobError(f"{job.__qualname__}.{hook} is `async def`; it must be a plain method")


def _check(name: str, perform: object) -> None:
    if isinstance(perform, (staticmethod, classmethod)) or not callable(perform):
        raise JobError(f"{name}.perform is a {type(perform).__name__}; write def perform(self, ...)")
    if inspect.isgeneratorfunction(perform) or inspect.isasyncgenfunction(perform):
        raise JobError(
            f"{name}.perform is a generator, of which a worker's call would run nothing; take out the yield"
        )
    parameters = _parameters(perform)
    if not parameters or parameters[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise JobError(f"{name}.perform takes no self; write def perform(self, ...)")
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is inspect.Parameter.empty:
            raise JobError(
                f"{name}.perform wants {parameter.name!r} by keyword, but a payload holds arguments by position "
                f"only; take out the * before it"
            )


def _parameters(perform: Callable[..., object]) -> list[inspect.Parameter]:
    return list(inspect.signature(perform).parameters.values())
