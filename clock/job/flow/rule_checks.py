"""Checks whether the rules of a job fit its `perform`, when the class is made and not at each push."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from clock.errors import JobError
from clock.job.flow.limits import Limit, Rate, rules_of
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
    for limit in rules_of(options.get("limits"), Limit):
        if callable(limit.name):
            yield "Limit: name", limit.name
    for rate in rules_of(options.get("rates"), Rate):
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
        own = ", ".join([*inspect.signature(perform).parameters][1:]) or "none"
        count = f"{low} or more" if math.isinf(high) else f"{low} to {high:g}" if low < high else f"{low}"
        noun = "argument" if count == "1" else "arguments"
        raise JobError(f"{what}: the function accepts {count} {noun}; it gets those of perform: {own}")
