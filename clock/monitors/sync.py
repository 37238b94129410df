"""`clock monitors sync`: creates and updates the monitors of a timetable at the providers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException

from clock.errors import ConfigurationError, described
from clock.monitors import VARIABLES
from clock.monitors.providers import Provider, Request
from clock.monitors.sender import Refused, send
from clock.timetable import MonitoredSchedule, Timetable, schedule_for_monitor


@dataclass(frozen=True, slots=True)
class Synced:
    """A monitor at a provider. `problem` is empty if it was created or updated, or would be in a dry run."""

    event: str
    slug: str
    provider: str
    schedule: MonitoredSchedule
    problem: str = ""


def sync(
    timetable: Timetable,
    providers: Sequence[Provider],
    now: datetime,
    *,
    dry_run: bool = False,
    send: Callable[[Request], object] = send,
) -> Iterator[Synced]:
    """Define each monitor at each provider. Raises ConfigurationError if there is nothing to do it with."""
    if not providers:
        raise ConfigurationError(f"No monitor provider is configured. Set one of {', '.join(VARIABLES)}")
    owners: dict[str, str] = {}
    for event in timetable.events:
        monitor = event.monitor
        schedule = schedule_for_monitor(event, now) if monitor else None
        if monitor is None or schedule is None:
            continue
        if monitor.slug in owners:
            raise ConfigurationError(
                f"{event.name!r} and {owners[monitor.slug]!r} have the same monitor {monitor.slug!r}; "
                "give one of them another slug"
            )
        owners[monitor.slug] = event.name
        for provider in providers:
            request = provider.define(monitor, event.name, schedule)
            if request is not None:
                problem = "" if dry_run else _sent(request, send)
                yield Synced(event.name, monitor.slug, provider.name, schedule, problem)


def _sent(request: Request, send: Callable[[Request], object]) -> str:
    try:
        send(request)
    except Refused as error:
        return f"refused: {error}"
    except (OSError, HTTPException) as error:
        return f"not reached: {described(error)}"
    return ""
