"""What `every(n)` and `cron(...)` return: the words that say how an event fires, and `.do(...)`, which ends it.

It is the `schedule` package's `Job`, made by a scheduler of ours, so that the package's own functions work on it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from datetime import datetime, time, timedelta, tzinfo
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Never, ParamSpec, Self, TypeVar, overload

import schedule

from clock.errors import ArgumentsError, DeclarationError, UnknownWord
from clock.timetable.action import Action, Call, Enqueue, Enqueueable
from clock.timetable.clock_file import draft
from clock.timetable.clock_file.callable_checks import check_call, check_called
from clock.timetable.clock_file.draft import Draft, Entry
from clock.timetable.clock_file.options import adjusted, check_option, hint, old_names
from clock.timetable.clock_file.typed_actions import Function, Performs, Pushes
from clock.timetable.event import CatchUp, Overlap
from clock.timetable.triggers.adjustments import Excepted
from clock.timetable.triggers.holidays import Otherwise
from clock.timetable.triggers.intervals import Trigger
from clock.timetable.triggers.until import parse_until
from clock.timetable.triggers.wall_times import Fold, Gap

P = ParamSpec("P")
R = TypeVar("R")
_WORDS = (
    "named", "if_", "until", "tag", "thread", "catch_up", "overlap", "dst", "except_on", "spread", "jitter",
    "describe", "do",
)  # fmt: skip


class FluentError(DeclarationError, schedule.IntervalError):
    """A bad declaration, which the package's `ScheduleValueError` and `IntervalError` catch as well."""


class Builder(schedule.Job):
    """An event being declared, word by word."""

    _form = "cron(...)"
    _words_of_form: tuple[str, ...] = _WORDS
    _called: tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]] | None = None

    def __init__(self, interval: int, scheduler: schedule.Scheduler, source: str | None = None) -> None:
        super().__init__(interval, scheduler)
        self._scheduler = scheduler
        self._entry = Entry(source or draft.where(), job=self, tags=self.tags)
        draft.current().entries.append(self._entry)

    if not TYPE_CHECKING:  # a type checker would take any word

        def __getattr__(self, name: str) -> Never:
            """Tell of a word that there is not. Raises UnknownWord."""
            if name.startswith("_"):
                raise AttributeError(name)
            text = f"{self._form} has no method {name!r}; {hint(name, self._words_of_form)}"
            raise UnknownWord(f"{draft.where()}: {text}")

    def __str__(self) -> str:
        """As the package's, which programs print; before the unit is known, that fails there."""
        return super().__str__() if self.unit else f"the declaration at {self._entry.source}"

    def __repr__(self) -> str:
        """As the package's; `next_run` is not known while the file is loaded."""
        if not self.unit:
            return f"<{self}>"
        return str(super().__repr__())  # type: ignore[no-untyped-call]  # the package has types elsewhere

    @property
    def event_name(self) -> str:
        """The name of its event; "" while the file is loaded."""
        return self._entry.event_name

    @property
    def job_func(self) -> partial[Any] | None:
        """The function of `.do` with its arguments, in the form of the package; None before `.do`.

        It is made when it is asked for: of very many events it would take a fifth of the memory.
        """
        if self._called is None:
            return None
        function, args, kwargs = self._called
        call = partial(function, *args, **kwargs)
        update_wrapper(call, function)
        return call

    @job_func.setter
    def job_func(self, function: partial[Any] | None) -> None:
        """Ignore the None that the package sets at first."""

    def run(self) -> Never:
        """Not to be had: a file that is loaded runs nothing. Raises DeclarationError."""
        raise self._error(
            "a clock file cannot run events while it is loaded; run one with: python -m clock fire NAME"
        )

    def tag(self, *tags: Hashable) -> Self:
        """Mark the event, for `get_jobs(tag)`, `clear(tag)` and your own use. Raises DeclarationError."""
        if not all(isinstance(tag, Hashable) for tag in tags):
            raise self._error(f"tag got {tags!r:.80}; tags must be hashable, such as strings")
        self.tags.update(tags)
        return self

    def until(self, until_time: datetime | timedelta | time | str) -> Self:
        """Not after this moment: a datetime, "2026-12-31 18:00" or "2026-12-31", in the event's zone if naive.

        A time or "18:00" is that time of the day on which the event was first seen; a timedelta counts from then.
        Raises DeclarationError.
        """
        if self.event_name:
            raise self._error(
                "until(...) has no effect while the clock runs; pause the event: schedule.cancel_job(job)"
            )
        try:
            self._entry.until = parse_until(until_time)
        except ValueError as error:
            raise self._error(str(error)) from None
        return self

    def named(self, name: str, *, was: str | Sequence[str] = ()) -> Self:
        """Give the event a name, to be found by in logs, in Redis and on the command line.

        `was` is the name that it had before, or a list of all of them, the oldest first. The event keeps what
        Redis holds under that name: when it was first seen and last run, its history and its pauses.
        """
        self._check_option("name", name)
        if was != ():
            self._check_option("was", was)
        self._entry.name = name
        self._entry.was = old_names(was)
        return self

    def if_(self, condition: Callable[[datetime], object]) -> Self:
        """Fire only where `condition(due)` is true; `due` is the due instant in the event's zone."""
        self._check_option("if_", condition)
        self._checked(check_called, "if_", condition, "due")
        self._entry.condition = condition
        return self

    def thread(self, on: bool = True) -> Self:
        """Run the action in its own thread, so that a slow one does not hold up the clock."""
        self._check_option("thread", on)
        self._entry.thread = on
        return self

    def catch_up(self, which: CatchUp, within: timedelta | None = None) -> Self:
        """What becomes of instants that were due while no clock ran: "latest", "all" or "skip"."""
        self._check_option("catch_up", which)
        if within is not None:
            self._check_option("catch_up_within", within)
        self._entry.catch_up = which
        self._entry.catch_up_within = within
        return self

    def overlap(self, which: Overlap) -> Self:
        """What becomes of a due instant while the job of the one before is still at work.

        "allow" enqueues all the same, "skip" passes over it, "queue_one" lets one wait.
        """
        self._check_option("overlap", which)
        self._entry.overlap = which
        return self

    def dst(self, *, gap: Gap | None = None, fold: Fold | None = None) -> Self:
        """What becomes of a time of day in the nights on which the clocks change.

        `gap`, of a time that a night skips: "shift" to the end of the gap, or "skip". `fold`, of a time that a
        night has twice: the "first", the "second" or "both". What is usual: docs/time.md.
        """
        return self._adjust(gap=gap, fold=fold)

    def except_on(self, days: Excepted, otherwise: Otherwise = "skip") -> Self:
        """Not on these days: dates, a calendar of holidays, or a function that is true of a date.

        `otherwise`: "skip" them, or move to the "next" or "previous" day that is none of them; an event of
        `.weekday` or `.weekend` is moved to such a day only.
        """
        return self._adjust(except_on=days, otherwise=otherwise)

    def spread(self, length: timedelta, *, salt: str = "") -> Self:
        """Later by a part of `length` that is drawn from the event's name: always the same.

        `salt`, another text in each installation of a product (its host name, its secret key), gives each
        installation a part of its own. It is not shown or stored anywhere.
        """
        return self._adjust(spread=length, salt=salt)

    def jitter(self, length: timedelta) -> Self:
        """Later by a part of `length` that is drawn anew for each due instant, alike on every machine."""
        return self._adjust(jitter=length)

    def describe(self, text: str) -> Self:
        """Say in a sentence what the event is for."""
        self._check_option("description", text)
        self._entry.description = text
        return self

    @overload
    def do(self, job_func: type[Performs[P]], *args: P.args, **kwargs: P.kwargs) -> Self: ...

    @overload
    def do(self, job_func: Pushes[P], *args: P.args, **kwargs: P.kwargs) -> Self: ...

    @overload
    def do(self, job_func: functools.partial[Any], *args: Any, **kwargs: Any) -> Self: ...

    @overload
    def do(self, job_func: Function[P], *args: P.args, **kwargs: P.kwargs) -> Self: ...

    def do(self, job_func: Any, *args: Any, **kwargs: Any) -> Self:
        """End the declaration: enqueue a job class, or call a function in the clock. Raises DeclarationError."""
        entry = self._entry
        if entry.action is not None:
            raise self._error("do(...) was already called; start another event with every(...)")
        entry.action = partial(_given, self._action(job_func, args, kwargs))
        if callable(job_func):
            self._called = job_func, args, kwargs
        self._check()
        entry.schedule = self._words()
        entry.make_trigger = self._trigger
        self._scheduler.jobs.append(self)
        return self

    def _adjust(self, **given: object) -> Self:
        self._entry.adjustments = self._checked(adjusted, self._entry.adjustments, given)
        return self

    def _check_option(self, name: str, value: object) -> None:
        self._checked(check_option, name, value)

    def _checked(self, check: Callable[..., R], *args: object) -> R:
        """`check("", *args)`; its errors get file and line, looked for only then: that takes its time."""
        try:
            return check("", *args)
        except DeclarationError as error:
            raise self._error(str(error)) from None

    def _action(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Action:
        if hasattr(function, "perform_async") and isinstance(function, Enqueueable):  # the latter alone is slow
            if kwargs:
                raise self._error(
                    f"{function.wire_name} got the keyword arguments {sorted(kwargs)}; "
                    "pass a job's arguments by position"
                )
            action = Enqueue(function, args)
            try:
                action.check()
            except ArgumentsError as error:
                raise self._error(str(error)) from None
            return action
        if not callable(function):
            called = ". Did you call it: do(f())?" if function is None else ""
            raise self._error(f"do() needs a job class or a function, but got {function!r}{called}")
        self._checked(check_call, function, args, kwargs)
        return Call(function, args, kwargs)

    def _check(self) -> None:
        """Check that the words go together. Raises DeclarationError."""
        raise NotImplementedError

    def _words(self) -> str:
        """The schedule, in words."""
        raise NotImplementedError

    def _trigger(self, zone: tzinfo, name: str) -> Trigger:
        """The trigger that the words stand for."""
        raise NotImplementedError

    def _error(self, text: str) -> DeclarationError:
        """The error of a bad declaration. A file that catches it goes on without the event, as with schedule."""
        being_loaded = draft.being_loaded()
        if being_loaded:
            being_loaded.entries[:] = [entry for entry in being_loaded.entries if entry is not self._entry]
        return FluentError(f"{draft.where()}: {text}")


def _given(action: Action, _draft: Draft) -> Action:
    return action
