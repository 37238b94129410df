"""`clock why`: what became of an event at some time, and by which rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clock.cli.options import answering_settings, shared_options
from clock.cli.parts import load_timetable
from clock.clocks import SystemClock
from clock.inspection.why import asked
from clock.inspection.why import why as explain
from clock.store.connection import connect


@click.command("why")
@click.argument("name")
@click.argument("when")
@click.option("--file", "-f", "clock_file", type=click.Path(path_type=Path), help="Default: lib/clock.py.")
@shared_options
def why_command(name: str, when: str, **options: Any) -> None:
    """Say why the event NAME fired at WHEN, or why it did not.

    WHEN is a second, a minute or a day on the clock of the event's zone, or an instant with its offset.

    \b
    Example: python -m clock why nightly "2026-11-01 01:30"
    """
    config = answering_settings(**options)
    event = load_timetable(config).event(name)
    redis = connect(config.redis)
    for stretch in asked(when, event.zone):
        for line in explain(redis, event, stretch, SystemClock().now()):
            click.echo(line)
