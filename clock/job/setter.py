"""A job class with options of one call set over its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from clock.errors import ArgumentsError
from clock.job import client
from clock.job.options import checked, payload_fields

if TYPE_CHECKING:
    from clock.job.job import Job


@dataclass(frozen=True, slots=True)
class Setter:
    """What `SomeJob.set(...)` returns: it pushes that job, with these options in the payload."""

    job: type[Job]
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked(f"{self.job.wire_name}.set", self.options)

    def __str__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in sorted(self.options.items()))
        return f"{self.job.wire_name}.set({options})"

    @property
    def wire_name(self) -> str:
        """The job's name in payloads."""
        return self.job.wire_name

    def check_arguments(self, *args: Any) -> None:
        """Check that `perform` takes these arguments and that JSON can hold them. Raises ArgumentsError."""
        self.job.check_arguments(*args)

    def perform_async(self, *args: Any) -> str:
        """Push the job for a worker to run as soon as it can; its jid."""
        return self._push([args], None)[0]

    def perform_in(self, interval: float | timedelta, *args: Any) -> str:
        """Push the job to be run in `interval` (seconds, or a timedelta); its jid."""
        seconds = interval.total_seconds() if isinstance(interval, timedelta) else interval
        return self._push([args], [client.due_at(seconds)])[0]

    def perform_at(self, instant: float | datetime, *args: Any) -> str:
        """Push the job to be run at `instant` (aware, or float seconds since 1970); its jid."""
        return self._push([args], [client.due_at(instant)])[0]

    def perform_bulk(self, args: Sequence[Sequence[Any]]) -> list[str]:
        """Push one job for each list of arguments, a thousand at a time; their jids in order."""
        for item in args:
            if not isinstance(item, (list, tuple)):
                raise ArgumentsError(
                    f"{self.wire_name}.perform_bulk takes a list with a list of arguments for each job, "
                    f"but it holds {item!r:.60}; write [[1], [2]] for two jobs of one argument"
                )
        return self._push(args, None)

    def _push(self, batches: Sequence[Sequence[Any]], at: Sequence[float] | None) -> list[str]:
        for args in batches:
            self.job.check_arguments(*args)
        fields = payload_fields(self.job, self.options)
        return client.push(self.job, fields, batches, at)
