"""What a clock file calls: `every`, `cron`, `configure`, `handler`, `error_handler`, `on`, `repeat`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime, timedelta, tzinfo
from difflib import get_close_matches
from functools import partial
from typing import Any, TypeVar, overload

from clock.errors import DeclarationError
from clock.timetable import draft
from clock.timetable.action import Action, Handle
from clock.timetable.clockwork import ClockworkAt, parse_at
from clock.timetable.cron import WORDS as CRON_WORDS
from clock.timetable.cron import Cron
from clock.timetable.cron import read as read_cron
from clock.timetable.draft import Draft, Entry
from clock.timetable.fluent import FluentJob
from clock.timetable.timetable import Callbacks, Settings
from clock.timetable.triggers import Days, Elapsed, Trigger, Union

F = TypeVar("F", bound=Callable[..., Any])
DAY = timedelta(days=1)


@overload
def every(interval: int = 1) -> FluentJob: ...


@overload
def every(interval: timedelta | float, name: str, **options: Any) -> Callable[[F], F]: ...


def every(interval: Any = 1, *names: str, **options: Any) -> Any:
    """Declare an event.

    `every(n)` begins the fluent form: `every(10).minutes.do(SomeJob)`. With a name it is Clockwork's:
    `every(timedelta(minutes=3), "less.frequent.job")`, run by the file's `handler`, or used as a decorator of a
    function `(name, due)`. Its options are `at`, `tz`, `if_`, `thread`, `skip_first_run`, `catch_up`,
    `catch_up_within` and `description`; seconds may stand for the timedelta. Raises DeclarationError.
    """
    if not names:
        if options:
            raise DeclarationError(
                f"{draft.where()}: every({interval!r}) with {sorted(options)} needs a name, too"
            )
        return FluentJob(interval)
    entry = Entry(draft.where(), name=names[0])
    if len(names) > 1 or not isinstance(names[0], str) or not names[0]:
        raise DeclarationError(f"{entry.source}: one name is wanted after the period, not {names!r:.60}")
    _read_clockwork(entry, _period(entry.source, interval), **_known(entry.source, options))
    draft.current().entries.append(entry)
    return partial(_decorate, entry)


class CronJob(FluentJob):
    """What `cron(...)` returns; it takes the fluent form's words but for units and times."""

    def __init__(self, expression: str, zone: tzinfo | None) -> None:
        super().__init__(1)
        self._expression = expression
        self._entry.zone = zone

    def _check(self) -> None:
        if self.unit is not None or self.latest is not None:
            raise self._error("cron(...) says when by itself; it takes no unit and no to(...)")
        if self._times:
            raise self._error("cron(...) says when by itself; it takes no at(...)")

    def _words(self) -> str:
        return f"cron {self._expression}"

    def _plain(self, zone: tzinfo, name: str) -> Trigger:
        return Cron(self._expression, zone)


def cron(expression: str, tz: str | tzinfo | None = None) -> CronJob:
    """Declare an event by a cron expression: five fields, or `@hourly`, `@daily`, `@weekly`...

    Raises DeclarationError.
    """
    source = draft.where()
    try:
        read_cron(expression)
    except (ValueError, AttributeError) as error:
        raise DeclarationError(
            f"{source}: cron is {expression!r}: {error}; accepted are minute, hour, day of month, month, weekday, "
            f"as in '*/5 9-17 * * mon-fri', or {', '.join(CRON_WORDS)}"
        ) from None
    return CronJob(expression, None if tz is None else draft.zone_named(tz))


def configure(**settings: Any) -> None:
    """Set what goes for the whole file: `tz`, `sleep_timeout` (seconds between tick callbacks), `max_threads`,
    `thread`, `catch_up` and `catch_up_within` (a timedelta). Raises DeclarationError.
    """
    source = draft.where()
    known = [field.name for field in fields(Settings)]
    for name, value in settings.items():
        if name not in known:
            raise DeclarationError(f"{source}: configure has no setting {name!r}; {_hint(name, known)}")
        if name != "tz" and not _SETTINGS[name][0](value):
            raise DeclarationError(f"{source}: configure({name}={value!r}): {_SETTINGS[name][1]} is wanted")
        draft.current().settings[name] = draft.zone_named(value) if name == "tz" else value


def handler(function: F) -> F:
    """Make `function(name, due)` the action of all events of Clockwork's form that have none of their own."""
    draft.current().handler = function
    return function


def error_handler(function: F) -> F:
    """Have `function(error)` called with whatever an action, a condition or a callback raises."""
    draft.current().error_handlers.append(function)
    return function


def on(name: str) -> Callable[[F], F]:
    """Have the function called at `before_tick`, `after_tick`, or `before_run`, `after_run` with (event, due).

    False from a `before_*` keeps the tick or the event from running. Raises DeclarationError.
    """
    known = [field.name for field in fields(Callbacks)]
    if name not in known:
        raise DeclarationError(f"{draft.where()}: there is no callback {name!r}; {_hint(name, known)}")

    def register(function: F) -> F:
        draft.current().callbacks.setdefault(name, []).append(function)
        return function

    return register


def repeat(job: FluentJob, *args: Any, **kwargs: Any) -> Callable[[F], F]:
    """Have the decorated function run by a fluent declaration: `@repeat(every().day.at("06:00"))`."""

    def register(function: F) -> F:
        job.do(function, *args, **kwargs)
        return function

    return register


def _read_clockwork(
    entry: Entry,
    period: timedelta,
    *,
    at: str | list[str] | None = None,
    tz: str | tzinfo | None = None,
    if_: Callable[[datetime], object] | None = None,
    skip_first_run: bool = False,
    **others: Any,
) -> None:
    if if_ is not None and not callable(if_):
        raise DeclarationError(f"{entry.source}: if_ is {if_!r}; a function of the due instant is wanted")
    texts = [] if at is None else at if isinstance(at, list) else [at]
    if at is not None and not texts:
        raise DeclarationError(f"{entry.source}: at is an empty list; name at least one time, or leave it out")
    try:
        times = [parse_at(text) for text in texts]
    except ValueError as error:
        raise DeclarationError(f"{entry.source}: {error}") from None
    entry.zone = None if tz is None else draft.zone_named(tz)
    entry.condition = if_
    for name, value in others.items():
        setattr(entry, name, value)
    entry.schedule = f"every {period}" + (f" at {', '.join(texts)}" if texts else "")
    entry.schedule += ", not at first" if skip_first_run else ""

    seconds = period // timedelta(seconds=1)

    def make_trigger(zone: tzinfo, _name: str) -> Trigger:
        triggers: list[Trigger] = [ClockworkAt(seconds, at, zone, skip_first_run) for at in dict.fromkeys(times)]
        if triggers:
            return Union(triggers) if len(triggers) > 1 else triggers[0]
        first = 1 if skip_first_run else 0
        if period % DAY:
            return Elapsed(seconds, first)
        return Days(zone, period // DAY, first=first, at_anchor=True)

    entry.make_trigger = make_trigger
    entry.action = partial(_general_handler, entry)


def _general_handler(entry: Entry, of: Draft) -> Action:
    if of.handler is None:
        raise DeclarationError(
            f"{entry.source}: {entry.name!r} has no action; decorate a function (name, due) with it, "
            "or declare a general one with @handler"
        )
    return Handle(of.handler, str(entry.name))


def _decorate(entry: Entry, function: F) -> F:
    entry.action = lambda _draft: Handle(function, str(entry.name))
    return function


def _period(source: str, value: Any) -> timedelta:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = timedelta(seconds=value)
    if not isinstance(value, timedelta) or value < timedelta(seconds=1) or value % timedelta(seconds=1):
        raise DeclarationError(
            f"{source}: the period is {value!r}; a timedelta, or seconds, of whole seconds above 0 is wanted"
        )
    return value


def _known(source: str, options: dict[str, Any]) -> dict[str, Any]:
    known = ["at", "tz", "if_", "thread", "skip_first_run", "catch_up", "catch_up_within", "description"]
    for name, value in options.items():
        if name not in known:
            raise DeclarationError(f"{source}: every has no option {name!r}; {_hint(name, known)}")
        accepts, words = _SETTINGS.get(name, (lambda _: True, ""))
        if not accepts(value):
            raise DeclarationError(f"{source}: {name} is {value!r}; {words} is wanted")
    return options


def _hint(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 1


_SETTINGS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "sleep_timeout": (_is_seconds, "a number of seconds, 1 or more,"),
    "max_threads": (lambda value: type(value) is int and value >= 1, "a whole number, 1 or more,"),
    "thread": (lambda value: isinstance(value, bool), "True or False"),
    "skip_first_run": (lambda value: isinstance(value, bool), "True or False"),
    "catch_up": (lambda value: value in ("latest", "all", "skip"), '"latest", "all" or "skip"'),
    "catch_up_within": (lambda value: isinstance(value, timedelta), "a timedelta"),
    "description": (lambda value: isinstance(value, str), "a text"),
}
