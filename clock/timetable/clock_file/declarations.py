"""The functions that a clock file calls: `every`, `repeat`, `configure`... `cron` is in `written_forms`."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Any, Literal, Protocol, TypedDict, TypeVar, Unpack, overload

import schedule

from clock.errors import DeclarationError
from clock.timetable.action import Enqueueable
from clock.timetable.clock_file import at_run_time, clockwork_form, draft
from clock.timetable.clock_file.checks import check_called, check_option, hint
from clock.timetable.clock_file.fluent import FluentJob
from clock.timetable.clock_file.rows.database_rows import Select, selected
from clock.timetable.event import CatchUp, Overlap
from clock.timetable.timetable import Callbacks, Settings, SyncedEvents
from clock.timetable.triggers.adjustments import Moment
from clock.timetable.triggers.holidays import Excepted, Otherwise
from clock.timetable.triggers.wall_times import Fold, Gap
from clock.worker_hooks import WORKER_EVENTS, WorkerEvent, on_worker_event

F = TypeVar("F", bound=Callable[..., Any])
CallbackName = Literal["before_tick", "after_tick", "before_run", "after_run"]


class HasAll(Protocol):
    """A manager or a query set of Django's."""

    def all(self) -> Iterable[object]:
        """The rows."""


class HasObjects(Protocol):
    """A model of Django's."""

    @property
    def objects(self) -> HasAll:
        """Its manager."""


class Options(TypedDict, total=False):
    """The options of Clockwork's form."""

    at: str | Sequence[str]
    tz: str | tzinfo | None
    if_: Callable[[datetime], object]
    thread: bool
    skip_first_run: bool
    catch_up: CatchUp
    catch_up_within: timedelta
    overlap: Overlap
    except_on: Excepted
    otherwise: Otherwise
    spread: timedelta
    salt: str
    jitter: timedelta
    gap: Gap
    fold: Fold
    until: Moment | str
    tags: Iterable[Hashable]
    description: str
    was: str | Sequence[str]
    monitor: bool | str | Mapping[str, object]


class FileSettings(TypedDict, total=False):
    """The settings of a whole clock file."""

    tz: str | tzinfo
    sleep_timeout: float
    max_threads: int
    thread: bool
    catch_up: CatchUp
    catch_up_within: timedelta
    logger: logging.Logger


@overload
def every(interval: int = 1) -> FluentJob: ...


@overload
def every(interval: timedelta | float, name: str, **options: Unpack[Options]) -> Callable[[F], F]: ...


def every(interval: Any = 1, *names: Any, **options: Any) -> Any:
    """Declare an event.

    `every(n)` starts the fluent form: `every(10).minutes.do(SomeJob)`. With a name it is Clockwork's form:
    `every(timedelta(minutes=3), "less.frequent.job")`. The file's `handler` runs such an event, or the function
    `(name, due)` that it decorates. A number of seconds may replace the timedelta. Options: `at`, `tz`, `if_`,
    `thread`, `skip_first_run`, `catch_up`, `catch_up_within`, `overlap`, `except_on`, `otherwise`, `spread`,
    `salt`, `jitter`, `gap`, `fold`, `until`, `tags`, `description`. Raises DeclarationError.
    """
    if "name" in options:
        names = (*names, options.pop("name"))
    if names:
        return clockwork_form.declare(interval, names, options)
    if options or isinstance(interval, timedelta):
        given = f" with {', '.join(sorted(options))}" if options else ""
        raise DeclarationError(f"{draft.where()}: every({interval!r}){given} needs a name after the period, too")
    return draft.current().scheduler.every(interval)


def repeat(job: schedule.Job, *args: Any, **kwargs: Any) -> Callable[[F], F]:
    """Call the decorated function, with these arguments: `@repeat(every().day.at("06:00"))`.

    Raises DeclarationError.
    """
    if not isinstance(job, schedule.Job):
        raise DeclarationError(f"{draft.where()}: repeat got {job!r:.80}; it must be every(...)")

    def register(function: F) -> F:
        job.do(function, *args, **kwargs)
        return function

    return register


def get_jobs(tag: Hashable | None = None) -> list[schedule.Job]:
    """The fluent declarations so far, or those with a tag."""
    return _scheduler().get_jobs(tag)


def clear(tag: Hashable | None = None) -> None:
    """Remove all fluent declarations so far, or those with a tag. In a running action: pause their events."""
    _scheduler().clear(tag)


def cancel_job(job: schedule.Job) -> None:
    """Remove a fluent declaration. In a running action: pause its event."""
    _scheduler().cancel_job(job)


def _scheduler() -> schedule.Scheduler:
    """The scheduler of the file that is being loaded, or whose action runs. Raises DeclarationError."""
    running = at_run_time.current()
    if running and running.scheduler and not draft.being_loaded():
        return running.scheduler
    return draft.current().scheduler


def configure(**settings: Unpack[FileSettings]) -> None:
    """Set options for the whole file.

    - `tz`: the zone of events without their own, a name or a tzinfo; default: the machine's zone;
    - `sleep_timeout`: seconds between two calls of the tick callbacks; default: 1;
    - `thread`: whether callables run on their own threads; `max_threads`: how many at most; default: 10;
    - `catch_up` ("latest", "all", "skip") and `catch_up_within` (a timedelta): what happens to missed instants;
    - `logger`: the logger for the clock's own lines.

    Raises DeclarationError.
    """
    source = draft.where()
    known = [field.name for field in fields(Settings)]
    for name, value in settings.items():
        if name not in known:
            raise DeclarationError(f"{source}: configure has no setting {name!r}; {hint(name, known)}")
        check_option(f"{source}: configure: ", name, value)
        draft.current().settings[name] = draft.zone_named(value) if name == "tz" else value


def handler(function: F) -> F:
    """Use `function(name, due)` as the action of all events of Clockwork's form without their own action.

    `due` is the due instant, aware, in the event's zone. Raises DeclarationError.
    """
    check_called(f"{draft.where()}: ", "handler", function, "name", "due")
    draft.current().handler = function
    return function


def error_handler(function: F) -> F:
    """Call `function(error)` with each error that an action, a condition or a callback raises.

    A file may have several error handlers. Raises DeclarationError.
    """
    check_called(f"{draft.where()}: ", "error_handler", function, "error")
    draft.current().error_handlers.append(function)
    return function


def on(name: CallbackName | WorkerEvent) -> Callable[[F], F]:
    """Call the decorated function at an event of the clock or of the worker.

    In a clock file: `before_tick`, `after_tick` (no arguments), `before_run`, `after_run` (the event and its due
    instant). If a `before_*` function returns False, the tick or the event does not run.

    In a module of jobs: `startup`, `quiet`, `shutdown`, `exit`, `heartbeat`, `beat` of the worker (no arguments).

    Raises DeclarationError, JobError.
    """
    if name in WORKER_EVENTS:
        if draft.is_caller_the_file():  # no worker loads it
            raise DeclarationError(
                f"{draft.where()}: on({name!r}) is an event of the worker; move it to a module of the jobs folder"
            )
        return partial(on_worker_event, name)
    known = [*(field.name for field in fields(Callbacks)), *WORKER_EVENTS]
    if name not in known:
        raise DeclarationError(f"{draft.where()}: unknown callback {name!r}; {hint(name, known)}")

    def register(function: F) -> F:
        names = ("event", "due") if name.endswith("_run") else ()
        check_called(f"{draft.where()}: ", f"on({name!r})", function, *names)
        draft.current().callbacks.setdefault(name, []).append(function)
        return function

    return register


def sync_events(
    source: Callable[[], Iterable[object]] | HasAll | HasObjects | Select,
    *,
    every: timedelta,
    do: Callable[..., object] | Enqueueable,
    session: Callable[[], AbstractContextManager[Any]] | None = None,
) -> None:
    """Run events that are stored in a database: the clock reads the rows of `source` at the interval `every`.

    `source` is a function; or Django's: a model, a manager or a query set, which is evaluated each time; or
    SQLAlchemy's: a select, with a `session` to run it in, such as a sessionmaker.

    A row is a mapping or an object. It has `name` or `id`, and `cron` or `every` (a timedelta, seconds, or text
    like "10 minutes"; Clockwork's name `frequency` works, too). It may have `at`, `tz`, `args`, `enabled` and the
    options of Clockwork's form. `do` is a job class, enqueued with the row's `args` (default: its `id`), or a
    function, called with the row.

    If a row's schedule is edited, its event starts over. It also starts over if one of the row's `attributes`, a
    mapping, changes, unless `ignored_attributes` lists that name. Raises DeclarationError.
    """
    where = draft.where()
    load: Any = getattr(getattr(source, "objects", source), "all", source)
    if session is not None:
        load = selected(source, session, where)
    elif isinstance(source, Select):
        raise DeclarationError(f"{where}: sync_events got a select; pass a session= too, such as a sessionmaker")
    if not inspect.isgeneratorfunction(load):  # it may yield the rows
        check_called(f"{where}: ", "sync_events", load)
    check_option(f"{where}: sync_events: ", "every", every)
    if not callable(do) and not hasattr(do, "perform_async"):
        raise DeclarationError(f"{where}: sync_events: do is {do!r:.80}; it must be a job class or a function")
    if not hasattr(do, "perform_async"):
        check_called(f"{where}: ", "sync_events: do", do, "row")
    draft.current().synced.append(SyncedEvents(load, every, do, where))
