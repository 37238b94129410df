"""`clock preview`: the future runs of a clock file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from clock.cli.options import GivenPath, answering, config_option
from clock.cli.output import echo, echo_json, echo_page, echo_table, json_option, write_file
from clock.cli.times import period_of, period_options
from clock.cli.timetables import load_timetable
from clock.clocks import SystemClock
from clock.config import load_config
from clock.errors import ConfigurationError
from clock.inspection.events.schedules import with_stored_events
from clock.inspection.events.shown_actions import shown_action
from clock.rehearsal.rehearsal import run
from clock.rehearsal.sources import read_ledger
from clock.rehearsal.timeline import Timeline
from clock.store.server.opening import connected
from clock.timetable import Timetable

STEP = timedelta(days=30)  # the steps of the progress bar for a long span
MOST_RUNS = 1_000_000  # in one preview: ten years of an event every 5 minutes
Span = tuple[datetime, datetime]


@click.command()
@click.argument("clock_file", required=False, type=GivenPath(), default=Path("lib/clock.py"))
@period_options("7d")
@click.option("--event", "-e", "events", multiple=True, metavar="NAME", help="Only this event; repeatable.")
@click.option(
    "--from-redis", metavar="URL", help="Start from the state stored in this Redis, and add its schedules."
)
@click.option("--svg", type=GivenPath(dir_okay=False), help="Write an SVG chart to this file.")
@click.option("--chart", is_flag=True, help="Print a chart, one line per day.")
@config_option
@json_option
def preview(
    clock_file: Path,
    config: Path | None,
    begin: str | None,
    end: str,
    events: tuple[str, ...],
    from_redis: str | None,
    **output: Any,
) -> None:
    """Show when each event of CLOCK_FILE (default: lib/clock.py) will run, using the production code.

    Conditions are evaluated with a simulated clock at each run; nothing is enqueued. Times without an offset
    are in the clock file's zone. Intervals that count from the first start,
    such as every(10).minutes, count from --from, or continue from the stored state with --from-redis. Schedules
    that were made at run time are in Redis, so they are shown with --from-redis only.

    \b
    Example: python -m clock preview --from 2026-12-01 --to 2027-01-01 --svg december.svg
    """
    answering()
    settings = load_config({"clock_file": clock_file}, file=config)
    timetable = load_timetable(settings)
    if from_redis:
        with connected(replace(settings, redis=from_redis, redis_source="the option --from-redis")) as redis:
            timetable = with_stored_events(timetable, redis, settings.require)
    start, stop = period_of(begin, end, zone=timetable.settings.tz, now=SystemClock().now())
    timeline = _rehearse(timetable, (start, stop), from_redis, events)
    timeline = timeline.only(*events) if events else timeline
    if output["svg"]:
        write_file(output["svg"], timeline.svg())
    if output["as_json"]:
        echo_json(json.loads(timeline.to_json()), indent=1)
    elif output["chart"]:
        echo_page(timeline.chart())
    elif output["svg"]:
        echo(f"Wrote {output['svg']}: {len(timeline):,} runs")
    else:
        _echo_firings(timeline, timetable)


def _rehearse(timetable: Timetable, span: Span, url: str | None, wanted: Sequence[str]) -> Timeline:
    """The runs of the wanted events (empty: all), rehearsed by months. Raises ConfigurationError for too many."""
    ledger = read_ledger(url) if url else None
    rows: list[tuple[int, str]] = []
    names: dict[str, None] = {}
    pieces = list(_pieces(*span))
    is_hidden = len(pieces) < 2 or not sys.stderr.isatty()
    with click.progressbar(pieces, label="Rehearsing", hidden=is_hidden, file=sys.stderr) as shown:
        for begin, end in shown:
            history = run(timetable, start_time=begin, end_time=end, ledger=ledger)
            ledger = history.ledger
            names |= dict.fromkeys(history.names)
            rows += (row for row in history.rows() if not wanted or row[1] in wanted)
            if len(rows) > MOST_RUNS:
                raise ConfigurationError(
                    f"more than {MOST_RUNS:,} runs until {end:%Y-%m-%d}; use an earlier --to, or --event"
                )
    return Timeline(rows, [*names], start=span[0], end=span[1], zone=timetable.settings.tz)


def _pieces(start: datetime, stop: datetime) -> Iterator[Span]:
    while start < stop:
        end = min(start + STEP, stop)
        yield start, end
        start = end


def _echo_firings(timeline: Timeline, timetable: Timetable) -> None:
    if not len(timeline):
        echo(f"No runs from {timeline.start} to {timeline.end}.")
        return
    actions = {event.name: shown_action(event.action) for event in timetable.events}
    rows = [(f"{firing.at:%a %Y-%m-%d %H:%M:%S %Z}", firing.event, actions[firing.event]) for firing in timeline]
    echo_table(["when", "event", "what"], rows)
    echo(f"{len(timeline):,} runs, times in {timeline.zone}")
