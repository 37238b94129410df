"""`clock list`: the events with their next run and the outcome of their last run."""

from __future__ import annotations

from typing import Any

import click

from clock.cli.opening import opened
from clock.cli.options import GivenPath, answering_settings, shared_options
from clock.cli.output import echo, echo_json, echo_table, json_option
from clock.cli.timetables import load_timetable
from clock.inspection.events.event_rows import EventRow, due_of, events
from clock.inspection.events.schedules import unlisted_rows, with_stored_events
from clock.printable import counted, local_time


@click.command("list")
@click.argument("clock_file", required=False, type=GivenPath())
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
    timetable = with_stored_events(timetable, redis, config.require)
    found, unlisted = events(redis, timetable, clock.now()), unlisted_rows(redis, timetable)
    if as_json:
        echo_json([view.as_json() for view in found])
        return
    if found:
        echo_table(["event", "schedule", "does", "next", "pause", "last"], [_row(view) for view in found])
    else:
        echo(f"{config.clock_file} declares no events.")
    if unlisted:
        echo(unlisted_line(unlisted))


def unlisted_line(count: int) -> str:
    """The line about events of database rows, which no command lists."""
    return f"The database has {counted(count, 'further event')}: the dashboard lists them (clock web)."


def _row(view: EventRow) -> tuple[object, ...]:
    return view.name, view.declaration, view.action(), _next(view), view.pause, _last(view)


def _next(view: EventRow) -> str:
    if view.next_due is None:
        return "never"
    return f"{view.next_due.astimezone(view.zone):%a %Y-%m-%d %H:%M:%S %Z}"


def _last(view: EventRow) -> str | None:
    if view.last is None:
        return None
    reason = f" ({view.last['reason']})" if "reason" in view.last else ""
    failed = ", job failed" if view.has_failed_job else ""
    return f"{local_time(due_of(view.last), view.zone)} {view.last['decision']}{reason}{failed}"
