"""The commands for jobs: selecting, changing and showing jobs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from itertools import islice
from typing import Any, cast

import click

from clock.api import Conditions, FoundJob, JobSet, Queue
from clock.cli.auditing import audit
from clock.cli.opening import Opened, with_redis
from clock.cli.options import Command, confirm, limit_option, yes_option
from clock.cli.output import Styled, echo, echo_json, echo_table, json_option, utc
from clock.errors import ClockError
from clock.job.payload import instant, seconds
from clock.printable import duration, shortened_list
from clock.timetable.periods import typed_length

Place = Queue | JobSet
DAY = 86_400.0  # seconds
END_OF_DATES = 253_402_300_800.0  # the year 10000, in seconds: another program's score may be later
SHOWN_FROM = 2_000  # with this many jobs a progress bar is useful


def _age(text: str) -> float:
    """The seconds of `90s`, `15m`, `2 hours`, `7d`, `1w`."""
    try:
        return typed_length(text).total_seconds()
    except ValueError:
        raise click.BadParameter(f"{text!r} is not an age; write 90s, 15m, 2h, 7d or 1w") from None


#: Condition: its option, type, metavar and help.
_CONDITIONS: dict[str, tuple[str, Callable[[str], float] | None, str, str]] = {
    "class_": ("--class", None, "NAME", "Only jobs of this class; * matches anything."),
    "queue": ("--queue", None, "NAME", "Only jobs of this queue; * matches anything."),
    "older_than": ("--older-than", _age, "AGE", "Only jobs older than this: 90s, 15m, 2h, 7d ..."),
    "args": ("--args", None, "TEXT", "Only jobs whose arguments, as JSON, contain this text."),
    "error": ("--error", None, "TEXT", "Only jobs whose last error contains this text."),
}
READ_FOR_CLASSES = 1000  # jobs, for the hint of a selection that matches none
NO_CHOICE = "select jobs by JID, or with --class, --queue, --older-than, --args or --error"


def filter_options(command: Command, *, allows_none: bool) -> Command:
    """Add the options that select jobs; the command receives them, and its JIDs, as `wanted`.

    Without `allows_none`, a command needs one of them, or its option `everything`.
    """

    @wraps(command)
    def with_filter(*args: Any, jids: tuple[str, ...] = (), **options: Any) -> Any:
        given = {name: options.pop(name) for name in _CONDITIONS}
        for name in [name for name, value in given.items() if value == ""]:  # it would mean all jobs
            raise click.UsageError(f"{_CONDITIONS[name][0]} is empty; give a text, or leave the option out")
        wanted = {**given, "jid": jids or None}
        meant = {name: value for name, value in wanted.items() if value is not None}
        if not (meant or allows_none or options.get("everything")):
            raise click.UsageError(NO_CHOICE)
        return command(*args, wanted=cast("Conditions", meant), **options)

    for name, (option, kind, metavar, text) in reversed(_CONDITIONS.items()):
        with_filter = click.option(option, name, type=kind, metavar=metavar, help=text)(with_filter)
    return with_filter


def list_options(command: Command) -> Command:
    """Add the options of a command that lists jobs."""
    return limit_option()(json_option(filter_options(with_redis(command), allows_none=True)))


def selection_options(command: Command) -> Command:
    """Add the options of a command that changes selected jobs."""
    return click.argument("jids", nargs=-1)(yes_option(filter_options(with_redis(command), allows_none=False)))


@dataclass(frozen=True, slots=True)
class JobChange:
    """A change of jobs in words: the question with their number and place, the progress bar, the audit log."""

    question: str
    label: str
    entry: str


DELETION = JobChange("Delete {} of {} for good?", "Deleting", "delete_jobs")


def change(
    opened: Opened, place: Place, wanted: Conditions, yes: bool, kind: JobChange, action: Callable[..., int]
) -> int:
    """Change the jobs that meet the conditions, after a confirmation, with a progress bar. Returns their number.

    Raises ClockError if a given jid is missing.
    """
    is_queue = isinstance(place, Queue)
    shown, audited = (
        (f"the queue {place.name!r}", f"queue {place.name}") if is_queue else (f"`{place.name}`", place.name)
    )
    size = _size(place, wanted)
    confirm(kind.question.format(size, shown), yes or not size)
    with click.progressbar(length=size, label=kind.label, hidden=size < SHOWN_FROM, file=sys.stderr) as bar:
        changed = action(progress=lambda step: bar.update(min(step.searched, size) - bar.pos), **wanted)
    conditions = "; ".join(f"{name.rstrip('_')}: {value}" for name, value in wanted.items())
    audit(opened.redis, kind.entry, f"{audited}: {conditions or 'all'}", changed)
    if not size:
        classes = dict.fromkeys(job.job_class for job in islice(place.search(), READ_FOR_CLASSES))
        found = f"it has {shortened_list(list(classes))}" if classes else "it is empty"
        echo(f"No job of {place.name!r} matches; {found}", err=True)
    return changed


def _size(place: Place, wanted: Conditions) -> int:
    missing, found = set(wanted.get("jid", ())), 0
    for job in place.search(**wanted):
        missing.discard(job.jid)
        found += 1
    if missing:
        raise ClockError(f"{place.name!r} has no job {', '.join(sorted(missing))}")
    return found


def show_found(opened: Opened, place: Place, wanted: Conditions, limit: int, as_json: bool) -> None:
    """Print the first `limit` selected jobs, and whether there are more."""
    jobs = place.search(**wanted)
    shown = list(islice(jobs, limit))
    if as_json:
        echo_json(list(map(_as_json, shown)))
        return
    more: int | str = place.size() - len(shown)
    if wanted:  # their number is unknown
        more = "some" if next(jobs, None) else 0
    headings = ["when", "class", "args", "queue", "retries", "jid", "error"]
    now = seconds(opened.clock.now())
    rows = []
    for job in shown:
        retries = None if job.retries is None else max(0, job.retries)  # after a manual retry it is one lower
        rows.append((_when(job, now), job.job_class, job.args, job.queue, retries, job.jid, job.error))
    echo_table(headings, rows, more, none="No jobs.")


def _when(job: FoundJob, now: float) -> str:
    """The time for which the job has waited in its queue, or its time in a sorted set."""
    if job.at is None:
        return f"{duration(max(0.0, now - job.since))} ago" if job.since is not None else ""
    if not 0 <= job.at < END_OF_DATES:
        return f"{job.at:g}"
    if abs(job.at - now) > DAY:
        return f"{datetime.fromtimestamp(job.at, UTC):%Y-%m-%d %H:%M}"
    distance = duration(abs(job.at - now))
    return f"in {distance}" if job.at >= now else f"{distance} ago"


def show_job(place: Place, jid: str, as_json: bool) -> None:
    """Print all details of a job. Raises ClockError if it is missing."""
    job = place.find(jid)
    if job is None:
        raise ClockError(f"{place.name!r} has no job {jid}")
    if as_json:
        echo_json(_as_json(job))
        return
    shown = {**job.payload, "args": job.args} | ({} if job.at is None else {"at": job.at})
    for name, value in shown.items():
        echo(Styled(name, bold=True), f": {_in_words(name, value)}")


def _in_words(name: str, value: object) -> object:
    """A field's value, its times as dates: `at` and `..._at` in Sidekiq's units, of a firing in ms."""
    if name == "clock" and isinstance(value, Mapping):
        known = {key: at for key, at in value.items() if at is not None}
        return ", ".join(f"{key} {_date(at) if key in ('due', 'previous') else at}" for key, at in known.items())
    return _date(value) if name == "at" or name.endswith("_at") else value


def _date(value: object) -> object:
    at = instant(value)
    return utc(datetime.fromtimestamp(at, UTC)) if at is not None and 0 <= at < END_OF_DATES else value


def _as_json(job: FoundJob) -> dict[str, object]:
    """The job's payload with redacted arguments; `at` is its score."""
    return {**job.payload, "args": job.args, "at": job.at}
