"""Checks whether the rules of a job fit its `perform`, when the class is made and not at each push."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from clock.errors import JobError
from clock.job.flow.limits import limits_of, rates_of
from clock.job.flow.unique import unique_of
from clock.job.push.arguments import accepted, arity

Perform = Callable[..., object]


def check_rules(where: str, perform: Perform, options: Mapping[str, object]) -> None:
    """Check names and functions in the rules of `options`. Raises JobError."""
    unique = unique_of(options.get("unique"))
    if unique and math.isfinite(arity(perform)[1]):  # with *args, as in a base class, the push checks
        unique.check_names(where, perform)
    for what, function in _functions(options):
        _check_function(f"{where}: {what}", function, perform)


def _functions(options: Mapping[str, object]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The functions in rules, with what they are for."""
    unique = unique_of(options.get("unique"))
    if unique and callable(unique.by):
        yield "unique's `by`", unique.by
    for limit in limits_of(options.get("limits")):
        if callable(limit.name):
            yield "Limit: name", limit.name
    for rate in rates_of(options.get("rates")):
        for option, value in (("name", rate.name), ("weight", rate.weight)):
            if callable(value):
                yield f"Rate: {option}", value


def _check_function(what: str, function: Callable[..., Any], perform: Perform) -> None:
    """Check that a function accepts some number of arguments that `perform` accepts, too. Raises JobError."""
    try:
        low, high = accepted(function)
    except (TypeError, ValueError):  # some built-in functions have no signature
        return
    least, most = arity(perform)
    if low > most or high < least:
        parameters = [*inspect.signature(perform).parameters][1:]
        raise JobError(
            f"{what}: the function accepts {_count(low, high)}; it gets those of perform: "
            f"{', '.join(parameters) or 'none'}"
        )


def _count(low: int, high: float) -> str:
    most = f"{high:g}"
    words = most if low == high else f"{low} or more" if high == float("inf") else f"{low} to {most}"
    return f"{words} argument" if words == "1" else f"{words} arguments"
