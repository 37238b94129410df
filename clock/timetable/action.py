"""What an event does: a job class is enqueued, any other callable is called, in the clock's own process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import Enum
from typing import Any, Final, Protocol, runtime_checkable

from clock.timetable.naming import called, name_of


class _Placeholder(Enum):
    DUE_AT = "DUE_AT"

    def __repr__(self) -> str:
        return self.value


#: Among an event's arguments: stands for the due instant, as ISO 8601 in UTC.
DUE_AT: Final = _Placeholder.DUE_AT


@runtime_checkable
class Enqueueable(Protocol):
    """A job class, or `SomeJob.set(...)`."""

    wire_name: str

    def perform_async(self, *args: Any) -> object:
        """Push the job."""

    def check_arguments(self, *args: Any) -> None:
        """Check the arguments."""


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Pushes a job."""

    job: Enqueueable
    args: tuple[Any, ...] = ()

    def __str__(self) -> str:
        name = self.job.wire_name if isinstance(self.job, type) else str(self.job)
        return called(name, self.args, {})

    def check(self) -> None:
        """Check the arguments as the push will. Raises ArgumentsError."""
        self.job.check_arguments(*_filled(self.args, "2026-01-01T00:00:00+00:00"))

    def __call__(self, due: datetime, zone: tzinfo) -> object:
        """Push the job of the firing at `due`."""
        return self.job.perform_async(*_filled(self.args, due.isoformat()))


@dataclass(frozen=True, slots=True)
class Call:
    """Calls a function with its arguments."""

    function: Callable[..., object]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return called(name_of(self.function), self.args, self.kwargs)

    def __call__(self, due: datetime, zone: tzinfo) -> object:
        """Call it for the firing at `due`."""
        kwargs = {name: due.isoformat() if value is DUE_AT else value for name, value in self.kwargs.items()}
        return self.function(*_filled(self.args, due.isoformat()), **kwargs)


@dataclass(frozen=True, slots=True)
class Handle:
    """Calls a handler of Clockwork's form with the event's name and the due instant in its zone."""

    handler: Callable[[str, datetime], object]
    name: str

    def __str__(self) -> str:
        return name_of(self.handler)

    def __call__(self, due: datetime, zone: tzinfo) -> object:
        """Call it for the firing at `due`."""
        return self.handler(self.name, due.astimezone(zone))


Action = Enqueue | Call | Handle


def _filled(args: tuple[Any, ...], due: str) -> list[Any]:
    return [due if arg is DUE_AT else arg for arg in args]
