"""`clock schedules`: events that are added and changed at run time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

import click

from clock.api.schedules import Schedule, ScheduleChange, ScheduleFields, Schedules
from clock.cli.auditing import SOURCE
from clock.cli.groups import CommandGroup
from clock.cli.opening import Opened, with_redis
from clock.cli.output import echo, echo_json, echo_table, json_option
from clock.cli.timetables import timetable_if_any
from clock.errors import ClockError, ConfigurationError
from clock.import_path import add_application
from clock.job.registry import look_at_jobs
from clock.printable import brief
from clock.timetable import Event
from clock.timetable.clock_file.zone_names import find_zone

_TIMING = ("cron", "every", "rrule", "sun", "at", "until")  # as `list` shows it


@click.group(cls=CommandGroup)
def schedules() -> None:
    """Add, change and delete events at run time, without a deploy.

    Redis stores these events. Clocks read them every 5 seconds. A change never runs an event by itself.
    """


@schedules.command("list", short_help="List the schedules.")
@json_option
@with_redis
def list_command(opened: Opened, as_json: bool) -> None:
    """List the schedules in Redis. `clock list` shows the events of the clock file.

    \b
    Example: python -m clock schedules list
    """
    found = Schedules(redis=opened.redis).stored()
    if as_json:
        echo_json([{"name": one.name, "version": one.version, **one.fields} for one in found])
        return
    none = "No schedules. Create one with: clock schedules put NAME --cron ... --job ..."
    echo_table(["schedule", "version", "when", "job", "args"], list(map(_row, found)), none=none)


@schedules.command("put", short_help="Create or change a schedule.")
@click.argument("name")
@click.option("--job", required=True, metavar="CLASS", help="Job class.")
@click.option("--cron", metavar="TEXT", help="Cron expression: '0 6 * * mon-fri'.")
@click.option("--every", metavar="TEXT", help="Period: '10 minutes', '2 hours', '1 day'.")
@click.option("--at", metavar="TIMES", help="Times of day for --every: '06:00' or '06:00, 18:00'.")
@click.option("--tz", metavar="ZONE", help="Time zone; default: UTC.")
@click.option("--until", metavar="DATE", help="No runs after this: '2026-12-31' or '2026-12-31 18:00', in --tz.")
@click.option("--args", metavar="JSON", help="Arguments as a JSON list; default: [].")
@click.option("--queue", metavar="NAME", help="Queue; default: the job's.")
@click.option(
    "--catch-up",
    type=click.Choice(["latest", "all", "skip"]),
    help="Which missed runs are caught up; default: latest.",
)
@click.option("--monitor", metavar="SLUG", help="Report its runs to the monitor of that slug.")
@click.option("--version", type=click.IntRange(0), help="Change only this version; 0: only create.")
@click.option("--dry-run", is_flag=True, help="Show the change and the next ten runs, and change nothing.")
@json_option
@with_redis
def put(
    opened: Opened, name: str, job: str, version: int | None, dry_run: bool, as_json: bool, **given: Any
) -> None:
    """Create the schedule NAME, or replace it, and show the next ten runs.

    The job's module is imported, and its arguments are checked. Use --version with the version that `list` shows:
    the change is refused if another person has changed the schedule since.

    \b
    Example: python -m clock schedules put daily.report --cron "0 6 * * *" --tz Europe/Berlin --job SendReportJob
    Example: python -m clock schedules put feed --every "10 minutes" --job FetchNewsJob --args '["sport"]'
    """
    fields, config = _fields(given), opened.config
    add_application(config.clock_file)
    timetable = timetable_if_any(config, is_named=False)  # it may import jobs that are in no folder of jobs
    look_at_jobs(*(path for path in config.require if path.exists()))
    writer = _writer(opened, timetable.by_name if timetable else None)
    change = writer.preview(name, job=job, **fields)
    made = None if dry_run else writer.put(name, job=job, version=version, **fields)
    if as_json:
        echo_json({"schedule": name, "version": made, "dry_run": dry_run, **asdict(change)})
        return
    zone = str(fields.get("tz") or "UTC")
    _echo_change(name, change, zone)
    echo("Nothing was changed." if dry_run else f"Stored {name!r} as version {made}.")


@schedules.command("delete", short_help="Delete a schedule.")
@click.argument("name")
@click.option("--version", type=click.IntRange(1), help="Delete only this version.")
@with_redis
def delete(opened: Opened, name: str, version: int | None) -> None:
    """Delete the schedule NAME. Jobs that it has pushed stay.

    \b
    Example: python -m clock schedules delete feed
    """
    writer = _writer(opened)
    if not writer.delete(name, version=version):
        known = ", ".join(one.name for one in writer.stored()) or "none"
        raise ClockError(f"no schedule is named {name!r}. The schedules are: {known}")
    echo(f"Deleted {name!r}")


def _writer(opened: Opened, declared: Mapping[str, Event] | None = None) -> Schedules:
    return Schedules(redis=opened.redis, source=SOURCE, declared=declared)


def _fields(given: dict[str, Any]) -> ScheduleFields:
    fields = {name: value for name, value in given.items() if value is not None}
    if "args" in fields:
        try:
            args = json.loads(fields["args"])
        except (ValueError, RecursionError):
            args = None
        if not isinstance(args, list):
            raise ConfigurationError(
                f"--args is {brief(fields['args'])}; it must be a JSON list: '[1, \"weekly\"]'"
            )
        fields["args"] = args
    return cast("ScheduleFields", fields)


def _row(one: Schedule) -> tuple[object, ...]:
    fields = one.fields
    when = " ".join(f"{name} {fields[name]}" for name in _TIMING if name in fields)
    args = json.dumps(fields.get("args", []))
    return one.name, one.version, f"{when} ({fields.get('tz')})", fields.get("job"), args


def _echo_change(name: str, change: ScheduleChange, zone: str) -> None:
    for field in {**change.before, **change.after}:
        before, after = change.before.get(field), change.after.get(field)
        echo(f"  {field}: ", after if before is None else f"{before} -> {'none' if after is None else after}")
    if not (change.before or change.after):
        echo(f"  {name!r} has these fields already")
    if change.restarts:
        echo("  Its timing changes: it starts again, and runs that it missed before are not caught up.")
    echo(f"Next runs, in {zone}:" if change.next_runs else "It never runs.")
    for at in change.next_runs:
        echo(f"  {at.astimezone(find_zone(zone)):%a %Y-%m-%d %H:%M:%S %Z}")
