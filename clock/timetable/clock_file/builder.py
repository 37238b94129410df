"""The builder that `every(n)` and `cron(...)` return: its methods declare how an event fires, `.do(...)` ends it.

It is a subclass of the `schedule` package's `Job`, created by a scheduler of this package. So the functions of
`schedule` work with it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime, time, timedelta
from functools import partial, update_wrapper
from types import CodeType
from typing import TYPE_CHECKING, Any, Never, ParamSpec, Protocol, Self, overload

import schedule

from clock.errors import DeclarationError, JobError, UnknownWord
from clock.timetable.action import Action, Call, Enqueue, is_enqueueable, is_job_class
from clock.timetable.clock_file import draft
from clock.timetable.clock_file.checks import check_call, hint, store_options
from clock.timetable.clock_file.draft import Entry
from clock.timetable.event import CatchUp, Overlap
from clock.timetable.naming import shown
from clock.timetable.triggers.holidays import Excepted, Otherwise
from clock.timetable.triggers.intervals import MakeTrigger
from clock.timetable.triggers.wall_times import Fold, Gap

P = ParamSpec("P")
_WORDS = (
    "named", "if_", "until", "tag", "thread", "catch_up", "overlap", "dst", "except_on", "spread", "jitter",
    "describe", "monitor", "do",
)  # fmt: skip


class Performs(Protocol[P]):
    """A job."""

    @property
    def perform(self) -> Callable[P, object]:
        """Do the work."""


class Pushes(Protocol[P]):
    """A job with options, or a job made of a function."""

    @property
    def perform_async(self) -> Callable[P, object]:
        """Push the job."""

    @property
    def check_arguments(self) -> Callable[..., None]:
        """Check the arguments."""


class Function(Protocol[P]):
    """A function or a method: it has a code object, and a class, which can be called as well, has not."""

    @property
    def __code__(self) -> CodeType:
        """Its code."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> object:
        """Call it."""


class FluentError(DeclarationError, schedule.IntervalError):
    """A bad declaration. The `schedule` package's `ScheduleValueError` and `IntervalError` catch it, too."""


class Builder(schedule.Job):
    """An event that is being declared."""

    # What the package's constructor sets: with it, very many events would take twice the memory.
    latest: int | None = None
    unit: str | None = None
    at_time: time | None = None
    at_time_zone: Any = None
    last_run: datetime | None = None
    next_run: datetime | None = None
    start_day: str | None = None
    cancel_after: datetime | None = None
    scheduler: schedule.Scheduler

    _words_of_form: tuple[str, ...] = _WORDS

    def __init__(self, interval: int, scheduler: schedule.Scheduler, source: str | None = None) -> None:
        self.interval = interval
        self.scheduler = scheduler
        self._entry = Entry(source or draft.where(), job=self)
        draft.current().entries.append(self._entry)

    if not TYPE_CHECKING:  # pragma: no branch  # a type checker would accept any method

        def __getattr__(self, name: str) -> object:
            """Raise UnknownWord for an unknown method, with the closest name; `tags` are made on request."""
            if name == "tags":
                self.tags = self._entry.tags = set()
                return self.tags
            if name.startswith("_"):
                raise AttributeError(name)
            text = f"{self._form} has no method {name!r}; {hint(name, self._words_of_form)}"
            raise UnknownWord(f"{draft.where()}: {text}")

    def __str__(self) -> str:
        """The text of the `schedule` package, which programs print. Before the unit is set, it raises an error."""
        return super().__str__() if self.unit else f"the declaration at {self._entry.source}"

    def __repr__(self) -> str:
        """The text of the `schedule` package; `next_run` is unknown while the file is loaded."""
        if not self.unit:
            return f"<{self}>"
        return str(super().__repr__())  # type: ignore[no-untyped-call]  # the package has types elsewhere

    @property
    def _form(self) -> str:
        """The form in words, such as `every(...)`."""
        raise NotImplementedError

    @property
    def event_name(self) -> str:
        """The name of the event; empty while the file is loaded."""
        return self._entry.event_name

    @property
    def job_func(self) -> partial[Any] | None:  # type: ignore[override]  # an attribute in the package
        """The function of `.do` with its arguments, in the package's form; None before `.do`.

        It is created on request: for very many events it would take a fifth of the memory.
        """
        action = self._entry.action
        if isinstance(action, Call):
            call = partial(action.function, *action.args, **action.kwargs)
        elif isinstance(action, Enqueue) and isinstance(action.job, type):
            call = partial(action.job, *action.args)
        else:
            return None
        update_wrapper(call, call.func)
        return call

    def run(self) -> Never:
        """Not supported: a clock file that is loaded runs nothing. Raises DeclarationError."""
        raise self._error(
            "a clock file cannot run events while it is loaded; run one with: python -m clock fire NAME"
        )

    def tag(self, *tags: Hashable) -> Self:
        """Add tags to the event, for `get_jobs(tag)`, `clear(tag)` and your own use. Raises DeclarationError."""
        if not all(isinstance(tag, Hashable) for tag in tags):
            raise self._error(f"tag got {tags!r:.80}; tags must be hashable, such as strings")
        self.tags.update(tags)
        return self

    def until(self, until_time: datetime | timedelta | time | str) -> Self:
        """Do not run after this moment: a datetime, "2026-12-31 18:00" or "2026-12-31", in the event's zone.

        A time or "18:00" means that time on the day on which the event was first seen. A timedelta counts from
        then. Raises DeclarationError.
        """
        if self.event_name:
            raise self._error(
                "until(...) has no effect while the clock runs; pause the event: schedule.cancel_job(job)"
            )
        return self._take({"until": until_time})

    def named(self, name: str, *, was: str | Sequence[str] = ()) -> Self:
        """Set the event's name for logs, Redis and the command line.

        `was` is the event's former name, or a list of all former names, the oldest first. The event keeps its data
        in Redis under that name: when it was first seen and last run, its history and its pauses.
        """
        self._entry.was = ()
        return self._take({"name": name} if was == () else {"name": name, "was": was})

    def if_(self, condition: Callable[[datetime], object]) -> Self:
        """Run only if `condition(due)` is true. `due` is the due instant in the event's zone."""
        return self._take({"if_": condition})

    def thread(self, on: bool = True) -> Self:
        """Run the action on its own thread, so a slow action does not block the clock."""
        return self._take({"thread": on})

    def catch_up(self, which: CatchUp, within: timedelta | None = None) -> Self:
        """Set what happens to instants that were due while no clock ran: "latest", "all" or "skip"."""
        self._entry.catch_up_within = None
        return self._take({"catch_up": which} | ({} if within is None else {"catch_up_within": within}))

    def overlap(self, which: Overlap) -> Self:
        """Set what happens at a due instant while the job of the previous run is unfinished.

        "allow" enqueues another job, "skip" skips the run, "queue_one" keeps one waiting job.
        """
        return self._take({"overlap": which})

    def dst(self, *, gap: Gap | None = None, fold: Fold | None = None) -> Self:
        """Set what happens to a time of day when the clocks change.

        `gap` is for a time that does not exist that day: "shift" to the end of the gap, or "skip". `fold` is for a
        time that occurs twice: "first", "second" or "both". docs/time.md has the defaults.
        """
        return self._take({"gap": gap, "fold": fold})

    def except_on(self, days: Excepted, otherwise: Otherwise = "skip") -> Self:
        """Do not run on these days: dates, a calendar of holidays, or a function that returns True for a date.

        `otherwise`: "skip" the run, or move it to the "next" or "previous" open day. An event of `.weekday` or
        `.weekend` moves only to such a day.
        """
        return self._take({"except_on": days, "otherwise": otherwise})

    def spread(self, length: timedelta, *, salt: str = "") -> Self:
        """Delay each run by a part of `length`. It is derived from the event's name, so it never changes.

        `salt` is a text that differs between installations of a product, such as a host name or a secret key. Each
        installation then has another delay. The salt is not shown or stored anywhere.
        """
        return self._take({"spread": length, "salt": salt})

    def jitter(self, length: timedelta) -> Self:
        """Delay each run by another part of `length`. All machines derive the same delay for a due instant."""
        return self._take({"jitter": length})

    def monitor(
        self, slug: str | None = None, *, grace: timedelta | None = None, max_runtime: timedelta | None = None
    ) -> Self:
        """Report the runs to the configured monitors: healthchecks, Cronitor, Sentry Crons, a webhook.

        `slug` is the monitor's name there; default: made from the event's name. A run may start `grace` late
        (default: 5 minutes) and take `max_runtime` (default: 30 minutes).
        """
        return self._take({"monitor": {"slug": slug, "grace": grace, "max_runtime": max_runtime}})

    def describe(self, text: str) -> Self:
        """Describe in one sentence what the event is for."""
        return self._take({"description": text})

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
        entry.action = self._action(job_func, args, kwargs)
        entry.schedule, entry.make_trigger = self._schedule()
        self.scheduler.jobs.append(self)
        return self

    def _take(self, options: Mapping[str, object]) -> Self:
        self._checked(store_options, self._entry, options)
        return self

    def _checked(self, check: Callable[..., None], *args: object) -> None:
        """Call `check("", *args)`. If it fails, add the file and line to the error: they are slow to find."""
        try:
            check("", *args)
        except DeclarationError as error:
            raise self._error(str(error)) from None

    def _action(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Action:
        if is_job_class(type(function)):
            name = type(function).__name__
            raise self._error(f"do() got an instance of {name}; write do({', '.join([name, *map(shown, args)])})")
        if is_enqueueable(function):
            if kwargs:
                raise self._error(
                    f"{function.wire_name} got the keyword arguments {sorted(kwargs)}; "
                    "pass a job's arguments by position"
                )
            action = Enqueue(function, args)
            try:
                action.check()
            except JobError as error:
                raise self._error(str(error)) from None
            return action
        if not callable(function):
            advice = "Do not call it: write do(send_report, 7), not do(send_report(7))"
            name = function.replace(":", ".").rpartition(".")[2] if isinstance(function, str) else ""
            if name.isidentifier():
                advice = f"Import it, and write do({', '.join([name, *map(shown, args)])})"
            raise self._error(f"do() needs a job class or a function, but got {function!r}. {advice}")
        self._checked(check_call, "do", function, args, kwargs)
        return Call(function, args, kwargs)

    def _schedule(self) -> tuple[str, MakeTrigger]:
        """The schedule in words and its trigger. Raises DeclarationError for methods that do not fit together."""
        raise NotImplementedError

    def _error(self, text: str) -> DeclarationError:
        """The error of a bad declaration. A file that catches it continues without the event, as with schedule."""
        being_loaded = draft.being_loaded()
        if being_loaded:
            being_loaded.entries[:] = [entry for entry in being_loaded.entries if entry is not self._entry]
        return FluentError(f"{draft.where()}: {text}")
