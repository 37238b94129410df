"""One run of a job: for its own code, for log lines, for the worker and its listeners, and for this room."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Protocol, Self

import msgspec

from clock.clocks import Clock, SystemClock, from_ms
from clock.errors import JobError
from clock.job.payload import Payload
from clock.printable import brief, printable
from clock.store.ledger.held_pushes import Push

LONGEST_NOTE = 200  # characters of a note on the progress, which each heartbeat sends
LARGEST_FIGURE = 1e15  # floats below count in ones
_SYSTEM_CLOCK = SystemClock()
#: The levels of `.set(log_level=...)`.
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_OF_PAYLOADS: Mapping[str, int] = {**LEVELS, "warn": logging.WARNING, "fatal": logging.CRITICAL}  # Ruby's, too

logger = logging.getLogger("clock.job")


def figure(what: str, value: Any) -> int | float:
    """A number of items, of any numeric type, as JSON holds it. Raises JobError for another value."""
    try:
        number = float("nan" if isinstance(value, (str, bytes)) else value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not abs(number) <= LARGEST_FIGURE:
        raise JobError(f"{what} is {brief(value, 60)}; it must be a number")
    return int(number) if number.is_integer() else number


#: Saves fields in the payload of the running job, and pushes jobs, in one step. False: another worker has the job.
Save = Callable[[Mapping[str, object], Sequence[Push]], bool]

#: Why a run ended early: the worker stops; its time is over; other workers have the job now.
EndedEarly = Literal["", "stopped", "released", "lost"]


class RunState:
    """One run of a job. Written by the job's thread; `progress` is also read by the heartbeat.

    `fields` belong into the payload wherever the job goes next. `ended_early`: the job must run again.
    `on_cancel` interrupts a coroutine; a thread is never interrupted.
    """

    # Defaults of the class: a run that needs none of these, which is the usual one, pays for none of them.
    fields: Mapping[str, object] = MappingProxyType({})
    progress: Mapping[str, object] | None = None
    ended_early: EndedEarly = ""
    cancelled = False
    on_cancel: Callable[[], object] | None = None
    result: object = None
    batch: object = None  # the job's own batch, once it has been used

    def __init__(self, save: Save | None = None, started: float | None = None, jid: str = "") -> None:
        self.save = save  # None: this run is not a worker's
        self.started = started  # monotonic seconds; None: unknown
        self.jid = jid

    def cancel(self) -> None:
        """Note that the job was cancelled. May be called from another thread, and twice."""
        if not self.cancelled:
            self.cancelled = True
            if self.on_cancel is not None:
                self.on_cancel()


class Context(msgspec.Struct, frozen=True):
    """One run of a job: its payload, whether the worker is stopping, the queue it came from, and the time."""

    payload: Payload = msgspec.field(default_factory=dict)
    is_stopping: Callable[[], bool] = lambda: False
    queue: str = "default"
    clock: Clock = _SYSTEM_CLOCK
    state: RunState = msgspec.field(default_factory=RunState)
    decrypted: Sequence[Any] | None = None  # the arguments, if the payload holds an encrypted one

    @property
    def args(self) -> Sequence[Any]:
        """The arguments for `perform`."""
        if self.decrypted is not None:
            return self.decrypted
        args = self.payload.get("args")
        return args if isinstance(args, list) else ()

    @property
    def jid(self) -> str:
        """The job's id."""
        return str(self.payload.get("jid") or "")

    @property
    def attempt(self) -> int:
        """1 on the first run, 2 on the first retry, and so on.

        "Retry now" on Sidekiq's page costs no retry: it takes one from the count, which is -1 after one failure.
        """
        count = self.payload.get("retry_count")
        return max(2, count + 2) if isinstance(count, int) else 1

    def report_progress(self, done: float, total: float | None = None, note: str | None = None) -> None:
        """Note how far the run has come, for the next heartbeat. Raises JobError for an invalid number."""
        now = self.clock.monotonic()
        if self.state.started is None:
            self.state.started = now
        self.state.progress = {
            "done": figure("progress: done", done),
            "total": None if total is None else figure("progress: total", total),
            "note": None if note is None else printable(note)[:LONGEST_NOTE],
            "seconds": round(now - self.state.started, 3),
        }

    def instant(self, name: str) -> datetime | None:
        """`due` or `previous` of the firing that pushed the job."""
        firing = self.payload.get("clock")
        ms = firing.get(name) if isinstance(firing, Mapping) else None
        return from_ms(ms) if isinstance(ms, int) else None


Outcome = Literal["done", "dropped", "failed", "unfit"]


class JobRun(msgspec.Struct, frozen=True):
    """A run of a job that has ended, and the next step of the job: for the log, the metrics, the event's history.

    `outcome` is done, dropped (it raised Discard), failed, or unfit: the worker could not run it at all. `goes_to`
    is `retry`, `dead` or empty. `retry_at` is in float seconds since 1970. `then` is the next step of a failed job
    in words.
    """

    payload: Payload
    queue: str
    outcome: Outcome
    seconds: float = 0.0
    error: BaseException | None = None
    goes_to: str = ""
    retry_at: float = 0.0
    then: str = ""


#: Called with each run, on the thread that ran the job.
RunListener = Callable[[JobRun], object]


#: Takes a function and calls it once the transaction under way is committed; never, if it is rolled back.
OnCommit = Callable[[Callable[[], object]], object]


class RunningJob(Protocol):
    """A job that runs. Options that a subclass may narrow are `Any`: an attribute of a Protocol has one type."""

    wire_name: ClassVar[str]
    queue: ClassVar[str]
    retry: ClassVar[Any]
    dead: ClassVar[bool]
    tags: ClassVar[Any]
    redact: ClassVar[Any]
    encrypt: ClassVar[bool]
    unique: ClassVar[Any]
    limits: ClassVar[Any]
    rates: ClassVar[Any]
    timeout: ClassVar[Any]
    expires_in: ClassVar[Any]
    enqueue_after_commit: ClassVar[Any]
    context: Context
    log_fields: dict[str, object]
    deadline: datetime | None
    exactly_once: ClassVar[Any]
    _push_template: ClassVar[Any]
    _checked_rules: ClassVar[Any]
    _iterates: ClassVar[bool]

    def perform(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work."""

    @classmethod
    def perform_async(cls, *args: Any, **kwargs: Any) -> str:
        """Push the job; its jid."""
        ...

    @classmethod
    def is_coroutine(cls) -> bool:
        """Whether `perform` is a coroutine function."""
        ...

    @classmethod
    def run(cls, context: Context, middleware: Sequence[Callable[..., Any]] | None = None) -> Any:
        """Run the job of `context.payload` inside the middleware; what `perform` returns."""

    @classmethod
    async def arun(cls, context: Context, middleware: Sequence[Callable[..., Any]] | None = None) -> Any:
        """Run a job whose `perform` is a coroutine function inside the middleware; what `perform` returns."""

    @classmethod
    def for_context(cls, context: Context) -> Self:
        """The job of `context`, as it is while it runs."""
        ...

    def retry_in(self, count: int, error: BaseException) -> Any:
        """How many seconds after failure number `count` (from 0) the job is tried again."""

    def retries_exhausted(self, payload: dict[str, object], error: BaseException) -> object:
        """Called when the job has failed for the last time."""


JobClass = type[RunningJob]


def job_logger(payload: Mapping[str, object]) -> logging.Logger:
    """The logger of a job, from the level in its payload up; without one, it has the level of the process."""
    level = payload.get("log_level")
    return _logger_from(_OF_PAYLOADS[level]) if isinstance(level, str) and level in _OF_PAYLOADS else logger


@cache
def _logger_from(level: int) -> logging.Logger:
    """A logger with this level, and the name, filters and handlers of the jobs' logger."""
    found = _LoggerOfLevel(logger.name, level)
    found.parent, found.filters = logger, logger.filters
    return found


class _LoggerOfLevel(logging.Logger):
    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  # logging's name
        """Whether it logs records of this level. Nothing is kept: `logging.disable` does not know this logger."""
        return level >= self.level and level > self.manager.disable
