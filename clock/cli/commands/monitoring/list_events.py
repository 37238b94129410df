"""`clock list`: the events with their next run and the outcome of their last run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from clock.cli.opening import opened
from clock.cli.options import answering_settings, shared_options
from clock.cli.output import echo, echo_json, echo_table, json_option
from clock.cli.timetables import load_timetable
from clock.clocks import from_ms
from clock.inspection import EventView
from clock.inspection.events.events import events
from clock.inspection.events.schedules import with_stored_events
from clock.timetable.explanation import explain


@click.command("list")
@click.argument("clock_file", required=False, type=click.Path(path_type=Path))
@json_option
@shared_options
def list_command(as_json: bool, **options: Any) -> None:
    """List the events of CLOCK_FILE: schedule, action, next run, last run and its outcome.

    Schedules that were added at run time are listed, too; rows of databases are not.
    Times are in each event's own zone.

    \b
    Example: python -m clock list lib/clock.py
    """
    config = answering_settings(**options)
    timetable = load_timetable(config)
    redis, clock = opened(config)
    found = events(redis, with_stored_events(timetable, redis, config.require), clock.now())
    if as_json:
        echo_json([_as_json(view) for view in found])
        return
    if not found:
        echo(f"{config.clock_file} declares no events.")
        return
    echo_table(["event", "schedule", "does", "next", "pause", "last"], [_row(view) for view in found])


def _row(view: EventView) -> tuple[object, ...]:
    event = view.event
    return event.name, event.declaration, event.action, _local(view), view.pause, _last(view)


def _local(view: EventView) -> str:
    if view.next_due is None:
        return "never"
    return f"{view.next_due.astimezone(view.event.zone):%a %Y-%m-%d %H:%M:%S %Z}"


def _last(view: EventView) -> str | None:
    if view.last is None:
        return None
    due = from_ms(int(str(view.last["due"]))).astimezone(view.event.zone)
    reason = f" ({view.last['reason']})" if "reason" in view.last else ""
    return f"{due:%Y-%m-%d %H:%M:%S %Z} {view.last['decision']}{reason}"


def _as_json(view: EventView) -> Mapping[str, object]:
    event = view.event
    return {
        "name": event.name,
        "schedule": event.declaration,
        "action": str(event.action),
        "description": event.description,
        "explained": explain(event),
        "tags": sorted(map(str, event.tags)),
        "source": event.source,
        "next_due": view.next_due.isoformat() if view.next_due else None,
        "pause": str(view.pause) if view.pause else None,
        "last": view.last,
    }
