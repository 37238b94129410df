"""How the commands for jobs say which jobs are meant, ask before they change them, and show how far they are."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Protocol, TypeVar

import click

from clock.cli.output import Styled, echo, echo_json, echo_table
from clock.errors import ClockError
from clock.inspection import FoundJob, JobFilter, matching
from clock.job.payload import instant
from clock.printable import printable

F = TypeVar("F", bound=Callable[..., Any])
BATCH = 500  # jobs in one step: a few ms of Redis's time
TURNS = 16  # steps at most where each goes through a whole queue: more would take time by the square of its length
END_OF_DATES = 253_402_300_800.0  # the year 10000, in seconds: a score of another program's may lie beyond
SHOWN_FROM = 2_000  # so many jobs take long enough for a progress bar

yes_option = click.option("--yes", is_flag=True, help="Don't ask for confirmation.")  # for `confirm`

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class Age(click.ParamType[float]):
    """A stretch of time: `90s`, `15m`, `2h`, `7d`, `1w`."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds. Fails with what is accepted."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", str(value))
        if match is None:
            self.fail(f"{value!r} is not an age; write 90s, 15m, 2h, 7d or 1w", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


def filter_options(command: F) -> F:
    """Add `--class`, `--queue`, `--older-than`; the command gets them, and its JIDs, as `wanted`."""

    @wraps(command)
    def with_filter(
        *args: Any,
        jids: tuple[str, ...] = (),
        job_class: str | None,
        queue_name: str | None,
        older_than: float | None,
        **kwargs: Any,
    ) -> Any:
        wanted = JobFilter(frozenset(jids), job_class, queue_name, older_than)
        return command(*args, wanted=wanted, **kwargs)

    for option in (
        click.option(
            "--older-than", type=Age(), metavar="AGE", help="Only jobs older than this: 90s, 15m, 2h, 7d ..."
        ),
        click.option("--queue", "queue_name", metavar="NAME", help="Only jobs of this queue; * matches anything."),
        click.option("--class", "job_class", metavar="NAME", help="Only jobs of this class; * matches anything."),
    ):
        with_filter = option(with_filter)
    return with_filter  # type: ignore[return-value]  # the same command, with options


def confirm(question: str, yes: bool) -> None:
    """Ask, unless `yes`; a no ends the command. Raises ClockError where nobody can answer."""
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


class Place(Protocol):
    """What is asked here of where jobs wait."""

    @property
    def name(self) -> str:
        """What it is called."""

    def jobs(self) -> Iterator[FoundJob]:
        """The jobs there."""


def meant(place: Place, wanted: JobFilter, now: float) -> list[FoundJob]:
    """The jobs that are wanted. Raises ClockError where one that was named is not there."""
    jobs = list(matching(place.jobs(), wanted, now=now))
    missing = wanted.jids - {job.jid for job in jobs}
    if missing:
        raise ClockError(f"{place.name!r} has no job {', '.join(sorted(missing))}")
    return jobs


def in_batches(
    jobs: Sequence[FoundJob], label: str, step: Callable[[Sequence[FoundJob]], int], size: int = BATCH
) -> int:
    """Do `step` to all jobs, `size` at a time, with a progress bar where there are many; the sum of answers."""
    done = 0
    hidden = len(jobs) < SHOWN_FROM
    with click.progressbar(length=len(jobs), label=label, hidden=hidden, file=sys.stderr) as bar:
        for start in range(0, len(jobs), size):
            batch = jobs[start : start + size]
            done += step(batch)
            bar.update(len(batch))
    return done


def retries(job: FoundJob) -> int | None:
    """How often it has been tried again, for a table: its payload has less after a try by hand."""
    return None if job.retries is None else max(0, job.retries)


def show_jobs(jobs: Sequence[FoundJob], more: int, as_json: bool, row: Callable[[FoundJob], list[object]]) -> None:
    """Print jobs as a table, or as JSON; `more` is how many there are besides."""
    if as_json:
        echo_json([job_as_json(job) for job in jobs])
        return
    if not jobs:
        echo("No jobs.")
        return
    echo_table(["when", "class", "args", "queue", "retries", "jid", "error"], [row(job) for job in jobs])
    if more:
        echo(f"... and {more} more; use --limit to show them")


def show_job(job: FoundJob, as_json: bool) -> None:
    """Print all that is known of a job."""
    if as_json:
        echo_json(job_as_json(job))
        return
    shown = {**job.payload, "args": job.args} | ({} if job.at is None else {"at": job.at})
    for name, value in shown.items():
        echo(Styled(name, bold=True), f": {_in_words(name, value)}")


def _in_words(name: str, value: object) -> object:
    """A field's value, its times as dates: `at` and `..._at` in Sidekiq's units, a firing's in ms."""
    if name == "clock" and isinstance(value, Mapping):
        known = {key: at for key, at in value.items() if at is not None}
        return ", ".join(f"{key} {_date(at) if key in ('due', 'previous') else at}" for key, at in known.items())
    return _date(value) if name == "at" or name.endswith("_at") else value


def _date(value: object) -> object:
    seconds = instant(value)
    if seconds is None or not 0 <= seconds < END_OF_DATES:
        return value
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def job_as_json(job: FoundJob) -> dict[str, object]:
    """The job's payload, its arguments as they may be shown; `at` is its score."""
    return {**job.payload, "args": job.args, "at": job.at}
