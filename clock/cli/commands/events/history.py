"""`clock history`: the latest runs of one event or of all events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

import click

from clock.cli.opening import opened
from clock.cli.options import answering_settings, file_option, limit_option, shared_options
from clock.cli.output import echo, echo_json, json_option
from clock.cli.timetables import all_events, timetable_if_any
from clock.config import Config
from clock.errors import ClockError, SourceFailed, UnknownEvent
from clock.inspection.events.why import latest_of_all, record_lines
from clock.store import Redis
from clock.store.ledger.history import read
from clock.timetable import find_event


@click.command("history")
@click.argument("name", required=False)
@limit_option(20)
@file_option
@json_option
@shared_options
def history_command(name: str | None, limit: int, as_json: bool, **options: Any) -> None:
    """Show the recent runs of the event NAME and their jobs.

    Without NAME, show the recent runs of all events, each in its own time zone.

    \b
    Example: python -m clock history nightly -n 5
    """
    config = answering_settings(**options)
    redis, _ = opened(config)
    if name is None:
        _show_all(config, latest_of_all(redis, limit), as_json, is_named=options["clock_file"] is not None)
        return
    records = list(read(redis, name, limit))
    zone = _zone(config, redis, name, is_known=bool(records))
    if as_json:
        echo_json(records)
        return
    for record in reversed(records):
        for line in record_lines(record, zone):
            echo(line)
    if not records:
        echo(f"{name!r} hasn't run yet")


def _show_all(
    config: Config, records: Sequence[tuple[str, Mapping[str, Any]]], as_json: bool, *, is_named: bool
) -> None:
    if as_json:
        echo_json([{"event": name, **record} for name, record in records])
        return
    zones = _zones(config, is_named=is_named)
    for name, record in records:
        first, *others = record_lines(record, zones.get(name, UTC))
        echo(f"{name}: {first}")
        for line in others:
            echo(line)
    if not records:
        echo("No event has run yet.")


def _zones(config: Config, *, is_named: bool) -> dict[str, tzinfo]:
    """The zone of each event of the clock file; empty if the file is missing or cannot be read."""
    try:
        timetable = timetable_if_any(config, is_named=is_named)
    except ClockError:
        if is_named:
            raise
        return {}
    return {event.name: event.zone for event in timetable.events} if timetable else {}


def _zone(config: Config, redis: Redis, name: str, *, is_known: bool) -> tzinfo:
    """The event's zone; UTC for an event that is no longer declared."""
    try:
        return find_event(all_events(config, redis), name).zone
    except (UnknownEvent, SourceFailed):
        if is_known:
            return UTC
        raise
