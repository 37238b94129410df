"""`clock why`: why an event did or did not run at a time."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import click

from clock.cli.options import answering_settings, dated, file_option, shared_options
from clock.cli.output import echo
from clock.cli.wiring import all_events, opened
from clock.errors import SourceFailed, UnknownEvent
from clock.inspection.events.why import periods_of, recorded
from clock.inspection.events.why import why as explain
from clock.store import listing
from clock.timetable import find_event


@click.command("why")
@click.argument("name")
@click.argument("when")
@file_option
@shared_options
def why_command(name: str, when: str, **options: Any) -> None:
    """Explain why an event did or didn't run at a given time.

    WHEN is a second, a minute or a day in the event's time zone, or a time with a UTC offset. It may also start
    with the name of a day: "today", "yesterday 06:00", "monday".

    \b
    Example: python -m clock why nightly "2026-11-01 01:30"
    """
    config = answering_settings(**options)
    redis, clock = opened(config)
    timetable = all_events(config, redis)
    try:
        event = find_event(timetable, name)
    except (UnknownEvent, SourceFailed) as error:
        if name not in listing.ledger(redis):
            raise
        lines = [
            line for period in periods_of(dated(when, clock.now()), UTC) for line in recorded(redis, name, period)
        ]
        for line in (f"showing recorded runs only, in UTC: {error}", *lines):
            echo(line)
        return
    for period in periods_of(dated(when, clock.now().astimezone(event.zone)), event.zone):
        for line in explain(redis, event, period, clock.now()):
            echo(line)
