"""`clock history` and `clock why`: the latest runs, and why an event did or did not run at a time."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any

import click

from clock.cli.opening import Opened, opened, with_redis
from clock.cli.options import answering_settings, file_option, limit_option, shared_options
from clock.cli.output import echo, echo_json, json_option
from clock.cli.timetables import all_events, timetable_if_any
from clock.config import Config
from clock.errors import ClockError, SourceFailed, UnknownEvent
from clock.inspection.events.why import latest_of_all, periods_of, record_lines, recorded
from clock.inspection.events.why import why as explain
from clock.store import Redis, listing
from clock.store.ledger.history import read
from clock.timetable import find_event


@click.command()
@click.argument("name", required=False)
@limit_option(20)
@file_option
@json_option
@shared_options
def history(name: str | None, limit: int, as_json: bool, **options: Any) -> None:
    """Show the recent runs of the event NAME and their jobs.

    Without NAME, show the recent runs of all events, each in its own time zone.

    \b
    Example: python -m clock history nightly -n 5
    """
    config = answering_settings(**options)
    redis, _ = opened(config)
    if name is not None:
        _show_event(config, redis, name, limit, as_json)
        return
    zones = _zones(config, is_named=options["clock_file"] is not None)
    records = latest_of_all(redis, limit, zones)
    if as_json:
        echo_json([{"event": event, **record} for event, record in records])
        return
    for event, record in records:
        first, *others = record_lines(record, zones.get(event, UTC))
        for line in (f"{event}: {first}", *others):
            echo(line)
    if not records:
        echo("No event has run yet.")


def _show_event(config: Config, redis: Redis, name: str, limit: int, as_json: bool) -> None:
    records = list(read(redis, name, limit))
    try:
        zone = find_event(all_events(config, redis), name).zone
    except (UnknownEvent, SourceFailed):
        if not records:
            raise
        zone = UTC  # an event that is no longer declared
    if as_json:
        echo_json(records)
        return
    for record in reversed(records):
        for line in record_lines(record, zone):
            echo(line)
    if not records:
        echo(f"{name!r} hasn't run yet")


def _zones(config: Config, *, is_named: bool) -> dict[str, tzinfo]:
    """The zone of each event of the clock file; empty if the file is missing or cannot be read."""
    try:
        timetable = timetable_if_any(config, is_named=is_named)
    except ClockError:
        if is_named:
            raise
        return {}
    return {event.name: event.zone for event in timetable.events} if timetable else {}


@click.command()
@click.argument("name")
@click.argument("when")
@file_option
@with_redis
def why(opened: Opened, name: str, when: str) -> None:
    """Explain why an event did or didn't run at a given time.

    WHEN is a second, a minute or a day in the event's time zone, or a time with a UTC offset. It may also start
    with the name of a day: "today", "yesterday 06:00", "monday".

    \b
    Example: python -m clock why nightly "2026-11-01 01:30"
    """
    redis, now = opened.redis, opened.clock.now()
    timetable = all_events(opened.config, redis)
    try:
        event = find_event(timetable, name)
    except (UnknownEvent, SourceFailed) as error:
        if name not in listing.ledger(redis):
            raise
        lines = [line for period in periods_of(when, UTC, now) for line in recorded(redis, name, period)]
        echo(f"showing recorded runs only, in UTC: {error}")
    else:
        lines = [
            line for period in periods_of(when, event.zone, now) for line in explain(redis, event, period, now)
        ]
    for line in lines:
        echo(line)
