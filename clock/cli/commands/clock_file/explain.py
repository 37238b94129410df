"""`clock explain`: the clock file in sentences."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import click

from clock.cli.options import GivenPath, answering_settings, shared_options
from clock.cli.output import echo, echo_json, echo_wrapped, json_option
from clock.cli.timetables import load_timetable
from clock.clocks import SystemClock
from clock.inspection.events.shown_actions import shown_action
from clock.timetable import Event, explanation


@click.command()
@click.argument("clock_file", required=False, type=GivenPath())
@click.option("--markdown", is_flag=True, help="Write Markdown, for a page in the repository.")
@json_option
@shared_options
def explain(markdown: bool, as_json: bool, **options: Any) -> None:
    """Describe each event in plain English.

    \b
    Example: python -m clock explain --markdown > SCHEDULES.md
    """
    config = answering_settings(**options)
    timetable = load_timetable(config)
    now = SystemClock().now().replace(microsecond=0)
    if as_json:
        echo_json({event.name: _explained(event, now) for event in timetable.events})
    elif markdown:
        echo("# Schedules")
        echo()
        echo(f"Written by `clock explain --markdown` from `{config.clock_file}`; edit that file, not this one.")
        echo()
        for event in timetable.events:
            echo(f"- **{_escaped(event.name)}**: {_escaped(_explained(event))}")
    else:
        for event in timetable.events:
            echo(event.name, bold=True)
            echo_wrapped(_explained(event, now), first="  ", indent="  ")


def _explained(event: Event, now: datetime | None = None) -> str:
    return explanation.explain(event, now, action=shown_action(event.action))


def _escaped(text: str) -> str:
    """The text with Markdown's special characters escaped."""
    return re.sub(r"[\\`*_<>\[\]|]", r"\\\g<0>", text)
