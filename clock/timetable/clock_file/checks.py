"""Checks of the options, settings and functions in a clock file; how an entry stores its options.

All forms, rows of a database and YAML files have the same options. A wrong function would fail at 06:00: it must
accept the arguments of its call, and the call must do the work, unlike that of an `async def`. For a decorated
function, only the parameters of the decorator count. Errors start with `where`.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import FunctionType
from typing import Any

from clock.errors import DeclarationError
from clock.printable import brief, closest, is_printable
from clock.timetable.clock_file.draft import Entry, zone_named
from clock.timetable.naming import called, name_of
from clock.timetable.periods import LONGEST_PERIOD
from clock.timetable.triggers.adjustments import Adjustments, parse_until
from clock.timetable.triggers.holidays import excepted_days
from clock.timetable.triggers.wall_times import Dst

#: The options that move or drop due instants.
ADJUSTMENTS = ("except_on", "otherwise", "spread", "salt", "jitter", "gap", "fold")
#: The options that an entry stores under their own name.
_PLAIN = ("thread", "catch_up", "catch_up_within", "overlap", "description")
EVENT_OPTIONS = ("tz", "if_", "until", "tags", "was", "monitor", *_PLAIN, *ADJUSTMENTS)

_SECOND, _YEAR = timedelta(seconds=1), timedelta(days=366)


def check_option(where: str, name: str, value: object, written: object = None) -> None:
    """Check an option's value, which the declaration has as `written` if that differs. Raises DeclarationError."""
    accepts, wanted = _VALUES.get(name, (None, ""))
    if accepts and not accepts(value):
        shown = value if written is None else written
        raise DeclarationError(f"{where}{name} is {brief(shown)}; it must be {wanted}")


def hint(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown `name`: the closest known name, or all of them."""
    return closest(str(name), known, f"available: {', '.join(known)}")


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 1 <= value <= LONGEST_PERIOD


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and is_printable(value)


def _is_length(value: object) -> bool:
    return isinstance(value, timedelta) and _SECOND <= value <= _YEAR and not value % _SECOND


def _are_tags(value: object) -> bool:
    return isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(tag, Hashable) for tag in value)


def _are_names(value: object) -> bool:
    return _is_name(value) or (isinstance(value, (list, tuple)) and bool(value) and all(map(_is_name, value)))


def _one_of(*words: str) -> tuple[Callable[[Any], bool], str]:
    quoted = [f'"{word}"' for word in words]
    return lambda value: value in words, f"{', '.join(quoted[:-1])} or {quoted[-1]}"


#: option -> a check of the value, and the accepted values in words. `at` and `tz` are read elsewhere.
_VALUES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_name, "text that is not empty, without line breaks and other control characters"),
    "was": (_are_names, "the name that the event had before, or a list of all of them, the oldest first"),
    "every": (
        lambda value: isinstance(value, timedelta) and _SECOND <= value <= _YEAR,
        "a timedelta from 1 second to a year",
    ),
    "sleep_timeout": (_is_seconds, "a number of seconds, 1 or more"),
    "max_threads": (lambda value: type(value) is int and value >= 1, "a whole number, 1 or more"),
    "logger": (lambda value: isinstance(value, logging.Logger), "a logging.Logger"),
    "thread": (_is_bool, "True or False"),
    "skip_first_run": (_is_bool, "True or False"),
    "enabled": (_is_bool, "true or false"),
    "if_": (callable, "a function of the due instant"),
    "catch_up": _one_of("latest", "all", "skip"),
    "catch_up_within": (
        lambda value: isinstance(value, timedelta) and value >= timedelta(0),
        "a timedelta of 0 or more",
    ),
    "gap": _one_of("shift", "skip"),
    "fold": _one_of("first", "second", "both"),
    "otherwise": _one_of("skip", "next", "previous"),
    "spread": (_is_length, "a timedelta of whole seconds, from 1 second to a year"),
    "salt": (lambda value: isinstance(value, str), "a string"),
    "jitter": (_is_length, "a timedelta of whole seconds, from 1 second to a year"),
    "overlap": _one_of("allow", "skip", "queue_one"),
    "tags": (_are_tags, "a list of tags, such as strings"),
    "description": (lambda value: isinstance(value, str), "a string"),
}


def _adjusted(where: str, already: Adjustments, given: Mapping[str, Any]) -> Adjustments:
    """The adjustments `already` chosen, changed by those `given`; None changes nothing. Raises ValueError."""
    chosen = {name: given[name] for name in ADJUSTMENTS if given.get(name) is not None}
    if not chosen:
        return already
    for name, value in chosen.items():
        check_option(where, name, value)
    if "otherwise" in chosen and "except_on" not in chosen:
        raise DeclarationError(f"{where}otherwise needs except_on")
    if chosen.get("salt") and "spread" not in chosen:
        raise DeclarationError(f"{where}salt needs spread")
    if "except_on" in chosen:
        if callable(chosen["except_on"]):
            check_called(where, "except_on", chosen["except_on"], "date")
        chosen["excepted"] = excepted_days(chosen.pop("except_on"))
    dst = Dst(chosen.pop("gap", already.dst.gap), chosen.pop("fold", already.dst.fold))
    return replace(already, dst=dst, **chosen)


#: How an entry stores options that it does not store as they were given.
_STORED_AS: dict[str, Callable[[Any], object]] = {
    "tags": set,
    "was": lambda was: (was,) if isinstance(was, str) else tuple(was),
}


def take_options(where: str, entry: Entry, options: Mapping[str, Any]) -> None:
    """Store the options that are not None, of `EVENT_OPTIONS`, in `entry`. Raises DeclarationError."""
    store_options(where, entry, {name: value for name, value in options.items() if value is not None})


def store_options(where: str, entry: Entry, given: Mapping[str, Any]) -> None:
    """Store the `given` options in `entry`. Raises DeclarationError, which starts with `where`."""
    try:
        entry.adjustments = _adjusted(where, entry.adjustments, given)
        if "until" in given:
            entry.adjustments = replace(entry.adjustments, until=parse_until(given["until"]))
    except ValueError as error:
        raise DeclarationError(f"{where}{error}") from None
    if "tz" in given:
        entry.zone = zone_named(given["tz"], where)
    for name in ("name", "if_", "tags", "was", "monitor", *_PLAIN):
        if name in given:
            check_option(where, name, given[name])
            setattr(entry, name, _STORED_AS[name](given[name]) if name in _STORED_AS else given[name])
    if "if_" in given:
        check_called(where, "if_", given["if_"], "due")


def check_called(where: str, what: str, function: Any, *names: str) -> None:
    """Check a function that takes one argument for each name; `what` is its purpose. Raises DeclarationError."""
    if not callable(function):
        raise DeclarationError(f"{where}{what} got {function!r:.80}; it must be a function")
    if isinstance(function, type) and hasattr(function, "perform_async"):
        raise DeclarationError(
            f"{where}{what} got {name_of(function)}, a job class; it must be a function, which may push the job"
        )
    check_call(where, what, function, names, {}, ", ".join(names))


_NOT_PLAIN: Mapping[str, Callable[[object], bool]] = {
    "an async function": inspect.iscoroutinefunction,
    "an async generator": inspect.isasyncgenfunction,
    "a generator": inspect.isgeneratorfunction,
}
_NOT_PLAIN_FLAGS = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_GENERATOR


def check_call(
    where: str, what: str, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], words: str | None = None
) -> None:
    """Check a function that takes these arguments; `words` are theirs in the error. Raises DeclarationError."""
    if not kwargs and _surely_takes(function, len(args)):
        return
    if isinstance(function, type) and hasattr(function, "perform"):
        name = name_of(function)
        raise DeclarationError(
            f"{where}{what} got {name}, which has perform but is not a job; write class {name}(Job)"
        )
    for kind, is_one in _NOT_PLAIN.items():
        if is_one(function) or is_one(type(function).__call__):
            raise DeclarationError(
                f"{where}{what} got {name_of(function)}, {kind}, which does nothing when called; "
                "it must be a plain function, or a job"
            )
    try:
        takes = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # some built-in functions have no signature
        return
    try:
        takes.bind(*args, **kwargs)
    except TypeError as error:
        bare = takes.replace(return_annotation=inspect.Signature.empty)
        given = called("", args, kwargs)[1:-1] if words is None else words
        raise DeclarationError(
            f"{where}{what} got {name_of(function)}, which takes {bare} and is called with ({given}): {error}"
        ) from None


def _surely_takes(function: Any, count: int) -> bool:
    """Whether it is a plain function that takes so many arguments: signatures are slow, declarations many."""
    if not isinstance(function, FunctionType) or function.__code__.co_kwonlyargcount:
        return False
    code = function.__code__
    most, needed = code.co_argcount, code.co_argcount - len(function.__defaults__ or ())
    takes = needed <= count and (count <= most or bool(code.co_flags & inspect.CO_VARARGS))
    return takes and not code.co_flags & _NOT_PLAIN_FLAGS
