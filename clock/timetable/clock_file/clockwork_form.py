"""Clockwork's form: `every(timedelta(minutes=3), "less.frequent.job", at=..., tz=...)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any, Never, TypeVar

from clock.errors import DeclarationError, UnknownWord
from clock.timetable.action import Handle
from clock.timetable.clock_file import draft
from clock.timetable.clock_file.checks import EVENT_OPTIONS, check_called, check_option, hint, take_options
from clock.timetable.clock_file.draft import Entry
from clock.timetable.periods import LONGEST_PERIOD, NOT_AT_FIRST, listed, period_words
from clock.timetable.triggers.clockwork import At, ClockworkAt, at_words, parse_at
from clock.timetable.triggers.intervals import Days, Elapsed, Trigger, united
from clock.timetable.triggers.wall_times import Dst
from clock.timetable.triggers.zone_offsets import DAY

F = TypeVar("F", bound=Callable[..., Any])
_SECOND, _LONGEST = timedelta(seconds=1), timedelta(seconds=LONGEST_PERIOD)
OPTIONS = ("at", "skip_first_run", *EVENT_OPTIONS)


def declare(period: object, names: tuple[object, ...], options: Mapping[str, Any]) -> Callable[[F], F]:
    """Declare an event in the file that is loaded; the result decorates its function. Raises DeclarationError."""
    entry = Entry(draft.where())
    name, *others = names
    if others or not isinstance(name, str) or not name.strip():
        raise DeclarationError(f"{entry.source}: give one name after the period, not {names!r:.60}")
    check_option(f"{entry.source}: ", "name", name)
    entry.name = name
    for option in options:
        if option not in OPTIONS:
            raise DeclarationError(f"{entry.source}: every has no option {option!r}; {hint(option, OPTIONS)}")
    read_options(entry, period, f"{entry.source}: ", **options)
    draft.current().entries.append(entry)
    return _Decorator(entry)


def read_options(
    entry: Entry,
    period: object,
    where: str,
    *,
    at: object = None,
    skip_first_run: bool = False,
    **others: Any,
) -> None:
    """Store period and options in `entry`. Raises DeclarationError, which starts with `where`."""
    check_option(where, "skip_first_run", skip_first_run)
    entry.is_clockworks = True
    take_options(where, entry, others)
    length = checked_period(where, period)
    times = _times(where, at)
    entry.schedule = f"every {period_words(length)}" + (f" {listed(map(at_words, times))}" if times else "")
    entry.schedule += NOT_AT_FIRST if skip_first_run else ""
    entry.make_trigger = partial(_trigger, length // timedelta(seconds=1), times, skip_first_run)


def _times(where: str, at: object) -> tuple[At, ...]:
    texts: Any = [] if at is None else at if isinstance(at, (list, tuple)) else [at]
    if at is not None and not texts:
        raise DeclarationError(f"{where}at is an empty list; give at least one time, or omit at")
    try:
        return tuple(dict.fromkeys(map(parse_at, texts)))
    except ValueError as error:
        raise DeclarationError(f"{where}{error}") from None


def _trigger(period: int, times: Sequence[At], skip_first: bool, zone: tzinfo, _name: str, dst: Dst) -> Trigger:
    triggers: list[Trigger] = [ClockworkAt(period, at, zone, skip_first, dst=dst) for at in times]
    if triggers:
        return united(triggers)
    first = int(skip_first)
    if period % DAY:
        return Elapsed(period, first)
    return Days(zone, period // DAY, first=first, at_anchor=True, dst=dst)


def checked_period(where: str, value: object, written: object = None) -> timedelta:
    """The period of a timedelta or seconds, which a row has as `written`. Raises DeclarationError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 1 <= value <= LONGEST_PERIOD:
        value = timedelta(seconds=value)
    if not isinstance(value, timedelta) or not _SECOND <= value <= _LONGEST or value % _SECOND:
        kind = "a timedelta or a number of seconds: whole" if written is None else "a period of whole seconds"
        shown = value if written is None else written
        raise DeclarationError(
            f"{where}the period is {shown!r:.80}; it must be {kind}, above 0 and at most a century"
        )
    return value


class _Decorator:
    """Makes the decorated function the event's action."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def __call__(self, function: F) -> F:
        entry, name = self._entry, str(self._entry.name)
        if not callable(function):
            raise DeclarationError(f"{entry.source}: {name!r} decorates {function!r}; it must be a function")
        check_called(f"{entry.source}: ", f"every(..., {name!r})", function, "name", "due")
        entry.action = Handle(function, name)
        return function

    if not TYPE_CHECKING:  # pragma: no branch  # a type checker would accept any method

        def __getattr__(self, word: str) -> Never:
            """Raise UnknownWord for the methods of the fluent form."""
            if word.startswith("_"):
                raise AttributeError(word)
            raise UnknownWord(
                f"{self._entry.source}: every(..., {self._entry.name!r}) has no method {word!r}; it decorates a "
                "function (name, due), or the @handler runs it; the other form is every(10).minutes.do(...)"
            )
