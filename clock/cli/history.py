"""`clock history`: what became of an event's latest due instants."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any

import click

from clock.cli.options import answering_settings, file_option, shared_options
from clock.cli.output import echo, echo_json, json_option
from clock.cli.parts import connected, find_event, load_timetable
from clock.config import Config
from clock.errors import SourceFailed, UnknownEvent
from clock.inspection.why import told
from clock.store.history import read


@click.command("history", short_help="Show what became of the latest due instants of an event.")
@click.argument("name")
@click.option("--count", "-n", type=click.IntRange(1), default=20, help="How many records; default: 20.")
@file_option
@json_option
@shared_options
def history_command(name: str, count: int, as_json: bool, **options: Any) -> None:
    """Show what became of the latest due instants of the event NAME, and of the jobs that they pushed.

    \b
    Example: python -m clock history nightly -n 5
    """
    config = answering_settings(**options)
    records = list(read(connected(config), name, count))
    zone = _zone(config, name, is_known=bool(records))
    if as_json:
        echo_json(records)
        return
    for record in reversed(records):
        for line in told(record, zone):
            echo(line)
    if not records:
        echo(f"nothing has been decided of {name!r} yet")


def _zone(config: Config, name: str, *, is_known: bool) -> tzinfo:
    """The event's zone; UTC for one that nothing declares now."""
    try:
        return find_event(load_timetable(config), name).zone
    except (UnknownEvent, SourceFailed):
        if is_known:
            return UTC
        raise
