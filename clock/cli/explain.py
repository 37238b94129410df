"""`clock explain`: the clock file as prose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.formatting import wrap_text

from clock.cli.options import answering_settings, shared_options
from clock.cli.output import echo_json, json_option, terminal_width
from clock.cli.parts import load_timetable
from clock.clocks import SystemClock
from clock.timetable import Timetable


@click.command()
@click.argument("clock_file", required=False, type=click.Path(path_type=Path))
@click.option("--markdown", is_flag=True, help="Write it as a page for the repository.")
@json_option
@shared_options
def explain(markdown: bool, as_json: bool, **options: Any) -> None:
    """Say in sentences what the events of CLOCK_FILE do, and when.

    \b
    Example: python -m clock explain --markdown > SCHEDULES.md
    """
    config = answering_settings(**options)
    timetable = load_timetable(config)
    now = SystemClock().now().replace(microsecond=0)
    if as_json:
        echo_json({event.name: event.explain(now) for event in timetable.events})
    elif markdown:
        click.echo(_page(timetable, config.clock_file), nl=False)
    else:
        for event in timetable.events:
            click.secho(event.name, bold=True)
            click.echo(wrap_text(event.explain(now), terminal_width() or 1_000, "  ", "  "))


def _page(timetable: Timetable, path: Path) -> str:
    lines = ["# Schedules", "", f"Written by `clock explain --markdown` from `{path}`; change that, not this.", ""]
    for event in timetable.events:
        lines += [f"- **{_escaped(event.name)}**: {_escaped(event.explain())}"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Text that Markdown takes as it is."""
    return "".join(f"\\{character}" if character in "\\`*_<>[]|" else character for character in text)
