"""`clock forecast`: which jobs of the timetable will start late."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from clock.cli.opening import opened
from clock.cli.options import GivenPath, answering_settings, shared_options
from clock.cli.output import echo, echo_json, echo_page, json_option, write_file
from clock.cli.times import period_of, period_options
from clock.cli.timetables import all_events, load_timetable
from clock.clocks import SystemClock
from clock.errors import ConfigurationError
from clock.printable import closest, shortened_list
from clock.rehearsal.event_job import job_class_of
from clock.rehearsal.forecast import Forecast, live_slots, load_of, measured_seconds
from clock.rehearsal.forecast import forecast as forecast_of
from clock.rehearsal.forecast_text import to_json, to_svg, to_text
from clock.timetable import Timetable, with_rows
from clock.timetable.periods import parse_period

SCHEDULES = "schedules put at run time"


@click.command()
@click.argument("clock_file", required=False, type=GivenPath())
@period_options("1d")
@click.option(
    "--slots",
    type=click.IntRange(1, 100_000),
    help="Jobs that run at once; default: those of the running workers.",
)
@click.option("--seconds", "took", multiple=True, metavar="CLASS=TIME", help="Run time of a class; repeatable.")
@click.option(
    "--default", "default", metavar="TIME", default="1s", show_default=True, help="Run time of other classes."
)
@click.option("--svg", type=GivenPath(dir_okay=False), help="Write an SVG drawing to this file.")
@json_option
@shared_options
def forecast(
    begin: str | None, end: str, slots: int | None, svg: Path | None, as_json: bool, **options: Any
) -> None:
    """Show which jobs of CLOCK_FILE (default: lib/clock.py) will start late, and by how much.

    It also shows the busiest minutes, and suggests a .spread(...) for events whose jobs would then wait less. Run
    times are the means of the last 3 days, as measured by workers. Times without an offset are in the clock
    file's zone.

    \b
    Example: python -m clock forecast --to 7d --svg forecast.svg
    Example: python -m clock forecast --slots 5 --seconds SendReportJob=40s
    """
    given, default = _seconds(options.pop("took")), _period("--default", options.pop("default"))
    config = answering_settings(**options)
    if slots and given and not config.redis:  # Redis is not needed
        timetable, seconds, left_out = load_timetable(config), given, [SCHEDULES]
    else:
        redis, clock = opened(config)
        timetable, left_out = with_rows(all_events(config, redis)), []
        seconds = {**measured_seconds(redis, clock.now()), **given}
        slots = slots or live_slots(redis, clock.now())
    if not slots:
        raise ConfigurationError("no worker runs; pass --slots: how many jobs your workers will run at once")
    start, stop = period_of(begin, end, zone=timetable.settings.tz, now=SystemClock().now())
    _check_classes(timetable, given)
    load = load_of(timetable, start, stop, seconds=seconds, default=default)
    _echo(forecast_of(load, slots), start, svg, as_json=as_json, left_out=left_out)


def _echo(made: Forecast, start: datetime, svg: Path | None, *, as_json: bool, left_out: Sequence[str]) -> None:
    zone = start.tzinfo
    assert zone is not None  # noqa: S101  # period_of gives aware times
    if svg:
        write_file(svg, to_svg(made, zone))
    if as_json:
        echo_json(to_json(made, left_out))
    else:
        missing = f"\nNot counted, as Redis was not read: {', '.join(left_out)}" if left_out else ""
        echo_page(to_text(made, zone) + missing)
        if svg:
            echo(f"Wrote {svg}")


def _seconds(took: tuple[str, ...]) -> dict[str, float]:
    pairs = [text.partition("=") for text in took]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise ConfigurationError(f"--seconds is {wrong[0]!r}; write CLASS=TIME: SendReportJob=40s")
    return {name: _period(f"--seconds {name}", time) for name, _, time in pairs}


def _check_classes(timetable: Timetable, given: dict[str, float]) -> None:
    """Check that an event enqueues each class of --seconds. Raises ConfigurationError."""
    jobs = (job_class_of(event) for event in timetable.events)
    known = sorted({job.wire_name for job in jobs if job})
    for name in given:
        if name not in known:
            hint = closest(name, known, f"they enqueue {shortened_list(known) or 'none'}")
            raise ConfigurationError(f"--seconds: no event enqueues the job class {name!r}; {hint}")


def _period(option: str, text: str) -> float:
    try:
        return parse_period(text).total_seconds()
    except ValueError:
        raise ConfigurationError(f"{option} is {text!r}; write a time: 40s, 1.5s, 2m") from None
