"""Checks of a job class when it is made, and not at each push: its `perform`, its hooks, its options, its name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from clock.errors import JobError
from clock.job.context import JobClass
from clock.job.flow.limits import Limit, Rate, rules_of
from clock.job.flow.unique import unique_of
from clock.job.options import ITERATION, OPTIONS, RULES, check_iterates, checked
from clock.job.push.arguments import accepted, arity
from clock.job.redaction import hidden_places

HOOKS = ("retry_in", "retries_exhausted")
#: Names that a worker calls or sets itself.
OURS = ("run", "arun", "for_context", "is_coroutine", "context")

#: The names of these options in other libraries.
_OTHER_WORDS = {
    "que": "queue",
    "retries": "retry",
    "max_retries": "retry",
    "queue_name": "queue",
    "time_limit": "timeout",
    "expires": "expires_in",
    "tag": "tags",
}


def check_perform(job: JobClass) -> None:
    """Check `perform` and the hooks that the class defines, and its name in payloads. Raises JobError."""
    name, own = job.__qualname__, vars(job)
    if "perform" in own:
        _check_perform(f"{name}.perform", own["perform"])
    for ours in OURS:
        if ours in own:
            raise JobError(f"{name}.{ours} hides a method of Job; rename yours")
    init = own.get("__init__")
    for parameter in [*inspect.signature(init).parameters.values()][1:] if callable(init) else ():
        is_rest = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if parameter.default is parameter.empty and not is_rest:
            raise JobError(
                f"{name}.__init__ requires {parameter.name!r}, but a worker creates a job without arguments; "
                "give it a default, or move it to perform"
            )
    for hook in HOOKS:
        if inspect.iscoroutinefunction(own.get(hook)):
            raise JobError(f"{name}.{hook} is `async def`; it must be a plain method")
    wire_name = own.get("wire_name", job.__name__)
    if not (isinstance(wire_name, str) and wire_name):
        raise JobError(f"{name}: wire_name is {wire_name!r}; it must be a name, such as 'Billing::ChargeCardJob'")


def _check_perform(name: str, perform: object) -> None:
    if isinstance(perform, (staticmethod, classmethod)) or not callable(perform):
        raise JobError(f"{name} is a {type(perform).__name__}; write def perform(self, ...)")
    if inspect.isgeneratorfunction(perform) or inspect.isasyncgenfunction(perform):
        raise JobError(f"{name} is a generator, so calling it runs nothing; remove the yield")
    parameters = list(inspect.signature(perform).parameters.values())
    if not parameters or parameters[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise JobError(f"{name} has no self; write def perform(self, ...)")
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            raise JobError(
                f"{name} can't have keyword-only arguments such as {parameter.name!r}: "
                "a payload holds arguments by position only; remove the `*`"
            )


def check_class(job: JobClass) -> None:
    """Check the options that a job class sets. Raises JobError.

    Any other attribute is the class's own, unless its name is close to an option's: a misspelt option is found
    here and not in production.
    """
    values = {name: value for name, value in vars(job).items() if not name.startswith("_")}
    for name in values.keys() - OPTIONS.keys():
        if callable(values[name]) or hasattr(values[name], "__get__"):
            continue
        # `entry` and `expires_at` are not close to `retry` and `expires_in`.
        close = get_close_matches(name, OPTIONS, 1, cutoff=0.85)
        swapped = [option for option in OPTIONS if sorted(option) == sorted(name)]
        if meant := _OTHER_WORDS.get(name) or next(iter(close + swapped), None):
            raise JobError(
                f"{job.__qualname__}: unknown option {name!r}; did you mean {meant!r}? "
                "To add your own attribute, choose a name less similar to an option"
            )
    checked(job.__qualname__, {name: value for name, value in values.items() if name in OPTIONS})
    if not hasattr(job, "perform"):  # a base class, or a mixin
        return
    inherited = [name for name in ITERATION if getattr(job, name, None)]
    check_iterates(job.__qualname__, job, [*values, *inherited])
    if job.redact:
        hidden_places(job.__qualname__, job.perform, job.redact)
    check_rules(job.__qualname__, job.perform, {name: getattr(job, name) for name in RULES})


def check_rules(where: str, perform: Callable[..., object], options: Mapping[str, object]) -> None:
    """Check names and functions in the rules of `options`. Raises JobError."""
    unique = unique_of(options.get("unique"))
    if unique and math.isfinite(arity(perform)[1]):  # with *args, as in a base class, the push checks
        unique.check_names(where, perform)
    functions: list[tuple[str, object]] = [("unique's `by`", unique.by)] if unique else []
    functions += [("Limit: name", limit.name) for limit in rules_of(options.get("limits"), Limit)]
    for rate in rules_of(options.get("rates"), Rate):
        functions += [("Rate: name", rate.name), ("Rate: weight", rate.weight)]
    for what, function in functions:
        if callable(function):
            _check_function(f"{where}: {what}", function, perform)


def _check_function(what: str, function: Callable[..., Any], perform: Callable[..., object]) -> None:
    """Check that a function accepts some number of arguments that `perform` accepts, too. Raises JobError."""
    try:
        low, high = accepted(function)
    except (TypeError, ValueError):  # some built-in functions have no signature
        return
    least, most = arity(perform)
    if low > most or high < least:
        own = ", ".join([*inspect.signature(perform).parameters][1:]) or "none"
        count = f"{low} or more" if math.isinf(high) else f"{low} to {high:g}" if low < high else f"{low}"
        noun = "argument" if count == "1" else "arguments"
        raise JobError(f"{what}: the function accepts {count} {noun}; it gets those of perform: {own}")
