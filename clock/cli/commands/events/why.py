"""`clock why`: why an event did or did not run at a time."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import click

from clock.cli.opening import opened
from clock.cli.options import answering_settings, file_option, shared_options
from clock.cli.output import echo
from clock.cli.timetables import all_events
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
        periods = periods_of(when, UTC, clock.now())
        lines = [line for period in periods for line in recorded(redis, name, period)]
        for line in (f"showing recorded runs only, in UTC: {error}", *lines):
            echo(line)
        return
    for period in periods_of(when, event.zone, clock.now()):
        for line in explain(redis, event, period, clock.now()):
            echo(line)
