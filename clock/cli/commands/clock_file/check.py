"""`clock check`: errors and likely mistakes in a clock file."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click

from clock.cli.options import GivenPath, answering, config_option
from clock.cli.output import Styled, echo, echo_json
from clock.cli.timetables import load_timetable
from clock.clocks import SystemClock
from clock.config import Config, file_used, load_config
from clock.errors import DeclarationError
from clock.job.registry import look_at_jobs
from clock.lint.against_redis import stored_events, stored_jobs, stored_schedules
from clock.lint.finding import Finding, Look
from clock.lint.rules import differs, findings
from clock.printable import counted
from clock.store.server.opening import connected
from clock.timetable import zone_name
from clock.timetable.periods import listed

MOST_SHOWN = 20  # findings of one rule, as text: the findings of thousands of events would hide the others
FEW = 5  # if there are more findings, this many are shown


@click.command()
@click.argument("clock_file", required=False, type=GivenPath(), default=Path("lib/clock.py"))
@config_option
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
@click.option("--against", metavar="REDIS_URL", help="Also check the jobs and events that are in this Redis.")
@click.option("--strict", is_flag=True, help="With --against: exit 1 if this code cannot run a job in Redis.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as --format json does.")
def check(
    clock_file: Path, config: Path | None, form: str, as_json: bool, against: str | None, strict: bool
) -> None:
    """Check CLOCK_FILE (default: lib/clock.py) for errors and likely mistakes. Exits 1 on errors.

    With --against it also reads the jobs in Redis, before a deploy, and reports those that the new code cannot
    run: unknown classes, arguments that no longer fit, missing encryption keys. It reports queues without a
    worker, events that were removed or renamed, and schedules in Redis that would not run. It changes nothing.
    It reads about 10,000 jobs of a place that has more, and reports that.

    \b
    Example: python -m clock check lib/clock.py --format github
    Example: python -m clock check --against $REDIS_URL --strict
    """
    answering()
    if strict and not against:
        raise click.UsageError("--strict needs --against REDIS_URL")
    found, zone, files = _checked(clock_file, config)
    in_redis = _stored(against, clock_file, config) if against and zone else []
    everything = [*found, *in_redis]
    if as_json or form == "json":
        echo_json([asdict(finding) for finding in everything])
    elif form == "github":
        _echo_github(everything)
    else:
        if zone:
            echo(f"zone: {zone}")
        _echo_text(everything, files)
    sys.exit(any(finding.level == "error" for finding in (everything if strict else found)))


def _stored(url: str, clock_file: Path, config: Path | None) -> list[Finding]:
    """The findings in Redis. The application's jobs are imported, as a worker imports them."""
    settings = load_config({"clock_file": clock_file}, file=config)
    settings = replace(settings, redis=url, redis_source="the option --against")
    timetable = load_timetable(settings)
    # The default folder of jobs may be missing: an application whose clock file imports its jobs has none.
    missing = [path for path in settings.require if not path.exists() and settings.require == Config().require]
    look_at_jobs(*(path for path in settings.require if path not in missing))
    redis = connected(settings)
    found = [*stored_jobs(redis, set(settings.queue_names) if file_used(config) else None)]
    if missing and any(finding.rule == "unknown-class" for finding in found):
        text = f"no such folder, so only jobs that {clock_file} imports are known; name other folders: require"
        found.append(Finding("warning", "require", "", str(missing[0]), text))
    return [*found, *stored_events(redis, timetable), *stored_schedules(redis, timetable)]


def _checked(clock_file: Path, config: Path | None) -> tuple[list[Finding], str, str]:
    """The findings, the time zone with its source (empty if a file does not load), and the names of the files."""
    try:
        settings = load_config({"clock_file": clock_file}, file=config)
        timetable = load_timetable(settings)
    except DeclarationError as error:
        place = re.match(r"(.+?:\d+): ", str(error))
        where, text = (place[1], str(error)[place.end() :]) if place else (str(clock_file), str(error))
        return [Finding("error", "declaration", "", where, text)], "", str(clock_file)
    zone = f"{zone_name(timetable.settings.tz)} ({timetable.zone_source})"
    look = Look(timetable, SystemClock().now().replace(microsecond=0), settings.queue_names)
    found = [*findings(look), *differs(timetable, load_timetable(settings))]
    sources = (event.source.rpartition(":")[0] for event in timetable.events)
    yaml = dict.fromkeys(path for path in sources if path.endswith((".yml", ".yaml")))
    files = listed([str(clock_file), *yaml] if clock_file.exists() or not yaml else yaml)
    return found, zone, files


def _echo_text(found: Sequence[Finding], files: str) -> None:
    by_rule: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in found:
        by_rule[finding.level, finding.rule].append(finding)
    for (level, rule), several in by_rule.items():
        shown = several if len(several) <= MOST_SHOWN else several[:FEW]
        for finding in shown:
            name = f"{finding.event}: " if finding.event else ""
            echo(f"{finding.source}: ", _level(level), f": {name}{finding.text}")
        if len(several) > len(shown):
            more = f": {len(several) - len(shown):,} more of this kind ({rule}); --format json lists them all"
            echo(f"{files}: ", _level(level), more)
    errors = sum(finding.level == "error" for finding in found)
    echo(f"{files}: {counted(errors, 'error')}, {counted(len(found) - errors, 'warning')}")


def _level(level: str) -> Styled:
    return Styled(level, fg="red" if level == "error" else "yellow")


def _echo_github(found: Sequence[Finding]) -> None:
    """Workflow commands of GitHub Actions: an annotation at the line."""
    for finding in found:
        path, _, line = finding.source.rpartition(":")
        text = f"{finding.event}: {finding.text}" if finding.event else finding.text
        title = f"clock check ({finding.rule})"
        file = _escaped(path or finding.source).replace(":", "%3A").replace(",", "%2C")
        echo(f"::{finding.level} file={file},line={line},title={title}::{_escaped(text)}")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
