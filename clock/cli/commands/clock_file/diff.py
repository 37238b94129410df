"""`clock diff`: the runs that a change of a clock file changes."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from clock.cli.options import GivenPath, answering, config_option
from clock.cli.output import echo_json, echo_page
from clock.cli.times import period_of, period_options
from clock.cli.timetables import load_timetable
from clock.clocks import SystemClock
from clock.config import load_config
from clock.diff.comparison import compare
from clock.diff.comparison_text import to_data, to_markdown, to_text
from clock.diff.description import describe, describe_revision, is_revision
from clock.timetable import Timetable

LOSES_FIRINGS = 3  # the exit code if an event no longer runs
_FORMS = {"text": to_text, "markdown": to_markdown}


@click.command()
@click.argument("old")
@click.argument("new", default="lib/clock.py", type=GivenPath())
@period_options("30d")
@click.option("--format", "form", type=click.Choice([*_FORMS, "json"]), default="text", show_default=True)
@config_option
def diff(old: str, new: Path, begin: str | None, end: str, form: str, config: Path | None) -> None:
    """Show which runs differ between the clock files OLD and NEW (default: lib/clock.py).

    OLD is a clock file or REV:PATH, a clock file of another git revision, which is loaded with that revision's
    jobs and settings. Events in YAML are included on both sides. Exits 3 if an event no longer runs.

    \b
    Example: python -m clock diff main:lib/clock.py lib/clock.py --to 30d --format markdown
    """
    answering()
    timetable = _loaded(new, config)
    start, stop = period_of(begin, end, zone=timetable.settings.tz, now=SystemClock().now())
    after = describe(timetable, start, stop)
    if is_revision(old):
        before = describe_revision(old, start, stop)
    else:
        before = describe(_loaded(Path(old), config), start, stop)
    difference = compare(before, after)
    if form == "json":
        echo_json(to_data(difference))
    else:
        echo_page(_FORMS[form](difference))
    if difference.loses_firings:
        sys.exit(LOSES_FIRINGS)


def _loaded(clock_file: Path, config: Path | None) -> Timetable:
    return load_timetable(load_config({"clock_file": clock_file}, file=config))
