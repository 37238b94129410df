"""The action of an event: it enqueues a job class, or calls a function in the clock's own process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import Enum
from typing import Any, Final, Protocol, TypeGuard, cast

from clock.timetable.naming import called, name_of

#: The field of payloads that names the monitor of the event.
MONITOR_FIELD = "clock_monitor"
#: The field of payloads with the definition of that monitor, if a listener in the clock's process asks for it.
DEFINITION_FIELD = "clock_monitor_config"


class _Placeholder(Enum):
    DUE_AT = "DUE_AT"
    DUE_TIMESTAMP = "DUE_TIMESTAMP"
    DUE_METADATA = "DUE_METADATA"

    def __repr__(self) -> str:
        return self.value

    def filled(self, due: datetime) -> object:
        """The value for this due instant."""
        if self is _Placeholder.DUE_AT:
            return due.isoformat()
        return due.timestamp() if self is _Placeholder.DUE_TIMESTAMP else {"scheduled_at": due.timestamp()}


#: A placeholder for the due instant in an event's arguments, as ISO 8601 in UTC.
DUE_AT: Final[str] = cast("str", _Placeholder.DUE_AT)  # typed as the text that replaces it
#: A placeholder for the due instant in seconds since 1970, as sidekiq-cron's `date_as_argument` passes it.
DUE_TIMESTAMP: Final = _Placeholder.DUE_TIMESTAMP
#: A placeholder for the due instant as sidekiq-scheduler's `include_metadata` passes it.
DUE_METADATA: Final = _Placeholder.DUE_METADATA
_SOME_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)  # for the check of the arguments


class Enqueueable(Protocol):
    """A job class, or `SomeJob.set(...)`."""

    @property
    def wire_name(self) -> str:
        """The name of the class in payloads."""

    def perform_async(self, *args: Any) -> object:
        """Push the job."""

    def prepared_push(self) -> PreparedPush | None:
        """The job's pushes by events, with any arguments; None: each must be a call of `perform_async`."""

    def check_arguments(self, *args: Any) -> None:
        """Check the arguments."""


def is_enqueueable(found: object) -> TypeGuard[Enqueueable]:
    """Whether it is a job class, or `SomeJob.set(...)`. A check by the protocol takes 100 times as long."""
    return all(hasattr(found, name) for name in ("perform_async", "prepared_push", "check_arguments", "wire_name"))


def is_job_class(found: type) -> bool:
    """Whether it is a job class. The class of `SomeJob.set(...)` is a different one."""
    return isinstance(getattr(found, "wire_name", None), str) and is_enqueueable(found)


class PreparedPush(Protocol):
    """Pushes of one job whose JSON is made already, except for the arguments and the fields of the firing."""

    @property
    def queue(self) -> str:
        """The queue of the job."""

    @property
    def is_plain(self) -> bool:
        """Whether no middleware may change the push."""

    def text(
        self, args: Sequence[object], event: str, due_ms: int, previous_ms: int | None, jid: str, now: str
    ) -> str:
        """The payload of one firing."""

    def push(self, args: Sequence[object]) -> object:
        """Push the job with these arguments, which have been checked."""


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Pushes a job."""

    job: Enqueueable
    args: tuple[Any, ...] = ()
    shown: str = ""  # the job in words, if not its own
    _prepared: PreparedPush | None = field(init=False, repr=False, compare=False, default=None)

    def __str__(self) -> str:
        return self.words(self.args)

    def words(self, args: Sequence[object]) -> str:
        """The job in words, with `args` instead of its arguments."""
        name = self.job.wire_name if isinstance(self.job, type) else str(self.job)
        return called(self.shown or name, args, {})

    def check(self) -> None:
        """Check the arguments and the options, and prepare the push. Raises JobError."""
        self.job.check_arguments(*_filled(self.args, _SOME_MOMENT))
        prepared = self.job.prepared_push()
        if not any(isinstance(arg, _Placeholder) for arg in self.args):
            if any(isinstance(arg, (list, dict)) for arg in self.args):
                object.__setattr__(self, "args", deepcopy(self.args))  # the file may change them afterwards
            object.__setattr__(self, "_prepared", prepared)

    @property
    def is_prepared(self) -> bool:
        """Whether a firing needs only its text: no code of the application may run for it."""
        return self._prepared is not None and self._prepared.is_plain

    @property
    def queue(self) -> str:
        """The queue of the job, if the push is prepared."""
        return self._prepared.queue if self._prepared else ""

    def text(self, event: str, due_ms: int, previous_ms: int | None, jid: str, now: str) -> str:
        """The payload of one firing, if the push is prepared."""
        return self._prepared.text(self.args, event, due_ms, previous_ms, jid, now) if self._prepared else ""

    def __call__(self, due: datetime, zone: tzinfo) -> object:
        """Push the job of the firing at `due`."""
        if self._prepared is not None:
            return self._prepared.push(self.args)
        return self.job.perform_async(*_filled(self.args, due))


@dataclass(frozen=True, slots=True)
class Call:
    """Calls a function with its arguments."""

    function: Callable[..., object]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return called(name_of(self.function), self.args, self.kwargs)

    def __call__(self, due: datetime, zone: tzinfo) -> object:
        """Call the function for the firing at `due`."""
        kwargs = dict(zip(self.kwargs, _filled(self.kwargs.values(), due), strict=True))
        return self.function(*_filled(self.args, due), **kwargs)


@dataclass(frozen=True, slots=True)
class Handle:
    """Calls a handler of Clockwork's form with the event's name and the due instant in its zone."""

    handler: Callable[[str, datetime], object]
    name: str

    def __str__(self) -> str:
        return name_of(self.handler)

    def __call__(self, due: datetime, zone: tzinfo) -> object:
        """Call the handler for the firing at `due`."""
        return self.handler(self.name, due.astimezone(zone))


Action = Enqueue | Call | Handle


def monitored(action: Action, slug: str, definition: Mapping[str, object] | None = None) -> Action:
    """The action, whose job carries the slug of the event's monitor, and its definition if one is given."""
    if not isinstance(action, Enqueue):
        return action
    fields: dict[str, object] = {MONITOR_FIELD: slug, **({DEFINITION_FIELD: definition} if definition else {})}
    found = Enqueue(cast("Any", action.job).set(fields=fields), action.args, action.words(()))
    found.check()
    return found


def _filled(args: Iterable[Any], due: datetime) -> list[Any]:
    return [arg.filled(due) if isinstance(arg, _Placeholder) else arg for arg in args]
