"""The commands for jobs: selecting jobs, confirming changes, showing progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from itertools import islice
from typing import Any, cast

import click

from clock.api import Conditions, FoundJob, JobSet, Queue
from clock.cli.auditing import audit_jobs
from clock.cli.opening import with_redis
from clock.cli.options import Command, limit_option
from clock.cli.output import Styled, echo, echo_json, echo_table, json_option, utc
from clock.errors import ClockError
from clock.job.payload import instant
from clock.printable import printable, shortened_list
from clock.store import Redis
from clock.timetable.typed_times import typed_length

Place = Queue | JobSet
END_OF_DATES = 253_402_300_800.0  # the year 10000, in seconds: another program's score may be later
SHOWN_FROM = 2_000  # with this many jobs a progress bar is useful

yes_option = click.option("--yes", is_flag=True, help="Don't ask for confirmation.")  # for `confirm`


class Age(click.ParamType[float]):
    """A length of time: `90s`, `15m`, `2 hours`, `7d`, `1w`."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds. Fails with the accepted forms."""
        try:
            return typed_length(str(value)).total_seconds()
        except ValueError:
            self.fail(f"{value!r} is not an age; write 90s, 15m, 2h, 7d or 1w", param, ctx)


#: Condition: its option, type, metavar and help.
_CONDITIONS: dict[str, tuple[str, click.ParamType[Any] | None, str, str]] = {
    "class_": ("--class", None, "NAME", "Only jobs of this class; * matches anything."),
    "queue": ("--queue", None, "NAME", "Only jobs of this queue; * matches anything."),
    "older_than": ("--older-than", Age(), "AGE", "Only jobs older than this: 90s, 15m, 2h, 7d ..."),
    "args": ("--args", None, "TEXT", "Only jobs whose arguments, as JSON, contain this text."),
    "error": ("--error", None, "TEXT", "Only jobs whose last error contains this text."),
}
READ_FOR_CLASSES = 1000  # jobs, for the hint of a selection that matches none
NO_CHOICE = "select jobs by JID, or with --class, --queue, --older-than, --args or --error"


def filter_options(command: Command) -> Command:
    """Add the options that select jobs; the command receives them, and its JIDs, as `wanted`."""

    @wraps(command)
    def with_filter(*args: Any, jids: tuple[str, ...] = (), **options: Any) -> Any:
        given = {name: options.pop(name) for name in _CONDITIONS}
        for name in [name for name, value in given.items() if value == ""]:  # it would mean all jobs
            raise click.UsageError(f"{_CONDITIONS[name][0]} is empty; give a text, or leave the option out")
        wanted = {**given, "jid": jids or None}
        meant = {name: value for name, value in wanted.items() if value is not None}
        return command(*args, wanted=cast("Conditions", meant), **options)

    for name, (option, kind, metavar, text) in reversed(_CONDITIONS.items()):
        with_filter = click.option(option, name, type=kind, metavar=metavar, help=text)(with_filter)
    return with_filter


def list_options(command: Command) -> Command:
    """Add the options of a command that lists jobs."""
    return limit_option()(json_option(filter_options(with_redis(command))))


def selection_options(command: Command) -> Command:
    """Add the options of a command that changes selected jobs."""
    return click.argument("jids", nargs=-1)(yes_option(filter_options(with_redis(command))))


def confirm(question: str, yes: bool) -> None:
    """Ask for confirmation, unless `yes`; a no ends the command. Raises ClockError without an answer."""
    if yes:
        return
    try:
        agreed = click.confirm(printable(question))
    except click.Abort:  # Ctrl-C, or an input that has ended
        echo()
        if sys.stdin.isatty():
            raise
        raise ClockError("no answer, nothing changed. Use --yes to skip this question") from None
    if not agreed:
        raise click.Abort


def one(place: Place, jid: str) -> FoundJob:
    """The job with that id. Raises ClockError if it is missing."""
    job = next(place.search(jid=jid), None)
    if job is None:
        raise ClockError(f"{place.name!r} has no job {jid}")
    return job


class Selection:
    """The jobs of a place that meet conditions. `audited` is the place's name in the audit log.

    Raises UsageError without conditions, unless `everything` is set.
    """

    def __init__(
        self, redis: Redis, place: Place, wanted: Conditions, *, audited: str = "", everything: bool = False
    ) -> None:
        if not wanted and not everything:
            raise click.UsageError(NO_CHOICE)
        self._redis, self._place, self._wanted = redis, place, wanted
        self._audited = audited or place.name

    def change(self, action: Callable[..., int], question: str, yes: bool, label: str, entry: str) -> int:
        """Change the jobs after a confirmation, with a progress bar and an entry in the audit log.

        `question` has a place for the number of jobs. Returns the number of changed jobs. Raises ClockError if a
        given jid is missing.
        """
        size = self._size()
        confirm(question.format(size), yes or not size)
        with click.progressbar(length=size, label=label, hidden=size < SHOWN_FROM, file=sys.stderr) as bar:
            changed = action(progress=lambda step: bar.update(min(step.searched, size) - bar.pos), **self._wanted)
        audit_jobs(self._redis, entry, self._audited, self._wanted, changed)
        if not size:
            classes = dict.fromkeys(job.job_class for job in islice(self._place.search(), READ_FOR_CLASSES))
            found = f"it has {shortened_list(list(classes))}" if classes else "it is empty"
            echo(f"No job of {self._place.name!r} matches; {found}", err=True)
        return changed

    def _size(self) -> int:
        missing, found = set(self._wanted.get("jid", ())), 0
        for job in self._place.search(**self._wanted):
            missing.discard(job.jid)
            found += 1
        if missing:
            raise ClockError(f"{self._place.name!r} has no job {', '.join(sorted(missing))}")
        return found


def show_found(
    place: Place, wanted: Conditions, limit: int, as_json: bool, when: Callable[[FoundJob], str]
) -> None:
    """Print the first `limit` selected jobs, each with its time in words, and whether there are more."""
    jobs = place.search(**wanted)
    shown = list(islice(jobs, limit))
    if as_json:
        echo_json([job_as_json(job) for job in shown])
        return
    more: int | str = place.size() - len(shown)
    if wanted:  # their number is unknown
        more = "some" if next(jobs, None) else 0
    headings = ["when", "class", "args", "queue", "retries", "jid", "error"]
    rows = [(when(job), job.job_class, job.args, job.queue, _retries(job), job.jid, job.error) for job in shown]
    echo_table(headings, rows, more, none="No jobs.")


def _retries(job: FoundJob) -> int | None:
    """The number of retries. After a manual retry the payload's count is one lower."""
    return None if job.retries is None else max(0, job.retries)


def show_job(job: FoundJob, as_json: bool) -> None:
    """Print all details of a job."""
    if as_json:
        echo_json(job_as_json(job))
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
    seconds = instant(value)
    if seconds is None or not 0 <= seconds < END_OF_DATES:
        return value
    return utc(datetime.fromtimestamp(seconds, UTC))


def job_as_json(job: FoundJob) -> dict[str, object]:
    """The job's payload with redacted arguments; `at` is its score."""
    return {**job.payload, "args": job.args, "at": job.at}
