"""`clock monitors sync`: the monitors of events at their providers."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from clock.cli.options import GivenPath, answering_settings, shared_options
from clock.cli.output import echo, echo_json, json_option
from clock.cli.timetables import load_timetable
from clock.clocks import SystemClock
from clock.monitors.providers import providers_in
from clock.monitors.sync import Synced
from clock.monitors.sync import sync as synced


@click.group()
def monitors() -> None:
    """Create monitors of events at healthchecks, Cronitor, Sentry."""


@monitors.command()
@click.argument("clock_file", required=False, type=GivenPath())
@click.option("--dry-run", is_flag=True, help="Show the monitors, and send nothing.")
@json_option
@shared_options
def sync(dry_run: bool, as_json: bool, **options: Any) -> None:
    """Create or update the monitor of each event with .monitor(...). Run it in each release.

    The providers are those of the environment: HEALTHCHECKS_PING_KEY, CRONITOR_API_KEY,
    CLOCK_SENTRY_CRONS_DSN.

    \b
    Example: python -m clock monitors sync --dry-run
    """
    timetable = load_timetable(answering_settings(**options))
    found = list(synced(timetable, providers_in(os.environ), SystemClock().now(), dry_run=dry_run))
    if as_json:
        echo_json([{**_fields(one), "problem": one.problem or None} for one in found])
    else:
        for one in found:
            words = one.problem or ("would be set" if dry_run else "set")
            echo(f"{one.provider:12} {one.slug:30} {one.schedule}  {words}")
        if not found:
            echo("No monitor to set up: add .monitor() to events; healthchecks.io also needs HEALTHCHECKS_API_KEY")
    if any(one.problem for one in found):
        sys.exit(1)


def _fields(one: Synced) -> dict[str, object]:
    fields: dict[str, object] = {"event": one.event, "monitor": one.slug, "provider": one.provider}
    if one.schedule.cron:
        return fields | {"cron": one.schedule.cron, "tz": one.schedule.zone}
    return fields | {"seconds": one.schedule.seconds}
