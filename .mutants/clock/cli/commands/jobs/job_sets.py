"""`clock retry`, `clock scheduled`, `clock dead`: retries, delayed and dead jobs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import click

from clock.api import Conditions, DeadSet, FoundJob, JobSet, RetrySet, ScheduledSet
from clock.cli.auditing import audit_jobs
from clock.cli.groups import CommandGroup
from clock.cli.job_arguments import (
    END_OF_DATES,
    NO_CHOICE,
    confirm,
    count,
    filter_options,
    limit_option,
    one,
    progress,
    retries,
    show_found,
    show_job,
    yes_option,
)
from clock.cli.options import answering_settings, later, shared_options
from clock.cli.output import duration, echo, json_option
from clock.cli.wiring import opened
from clock.inspection import trim_dead
from clock.job.payload import seconds
from clock.store.jobs.dead import DeadLimits


def _group(name: str, place: type[JobSet], about: str) -> click.Group:
    """The commands for one of the sorted sets."""
    group = CommandGroup(name, help=about)
    commands: list[Callable[[str, type[JobSet]], click.Command]] = [
        _list, _search, _show, _retry, _reschedule, _delete, _clear
    ]  # fmt: skip
    for make in commands:
        group.add_command(make(name, place))
    if place is not DeadSet:
        group.add_command(_kill(name, cast("type[RetrySet | ScheduledSet]", place)))
    return group


def _list(name: str, place: type[JobSet]) -> click.Command:
    @limit_option
    @json_option
    @filter_options
    @shared_options
    def command(wanted: Conditions, limit: int, as_json: bool, **options: Any) -> None:
        redis, clock = opened(answering_settings(**options))
        show_found(place(redis=redis), wanted, limit, as_json, partial(_row, now=seconds(clock.now())))

    return _command(
        "list",
        command,
        f"""List the jobs of `{place.name}`, the earliest first.

    \b
    Example: python -m clock {name} list --class 'Send*' --older-than 2h
    """,
    )


def _search(name: str, place: type[JobSet]) -> click.Command:
    @click.argument("text")
    @limit_option
    @json_option
    @filter_options
    @shared_options
    def command(text: str, wanted: Conditions, limit: int, as_json: bool, **options: Any) -> None:
        redis, clock = opened(answering_settings(**options))
        row = partial(_row, now=seconds(clock.now()))
        show_found(place(redis=redis), {**wanted, "text": text}, limit, as_json, row)

    return _command(
        "search",
        command,
        f"""List the jobs of `{place.name}` that contain TEXT.

    TEXT is looked for in JID, class, arguments and error, in upper or lower case.

    \b
    Example: python -m clock {name} search ada@example.com
    """,
    )


def _show(name: str, place: type[JobSet]) -> click.Command:
    @click.argument("jid")
    @json_option
    @shared_options
    def command(jid: str, as_json: bool, **options: Any) -> None:
        redis, _ = opened(answering_settings(**options))
        show_job(one(place(redis=redis), place.name, jid), as_json)

    return _command(
        "show",
        command,
        f"""Show all details of the job JID.

    \b
    Example: python -m clock {name} show 2f9b51d4c0d3a86e7b1f0c5d
    """,
    )


def _retry(name: str, place: type[JobSet]) -> click.Command:
    @click.argument("jids", nargs=-1)
    @click.option("--all", "everything", is_flag=True, help="All jobs.")
    @yes_option
    @filter_options
    @shared_options
    def command(wanted: Conditions, everything: bool, yes: bool, **options: Any) -> None:
        redis, _ = opened(answering_settings(**options))
        jobs = place(redis=redis)
        size = _chosen(jobs, wanted, everything=everything)
        confirm(f"Put {size} of `{place.name}` into their queues?", yes or not size)
        with progress("Enqueueing", size) as show:
            moved = jobs.add_to_queue(progress=show, **(wanted or {"class_": "*"}))
        audit_jobs(redis, "retry_jobs", place.name, wanted, moved)
        echo(f"Enqueued: {moved}")

    return _command(
        "retry",
        command,
        f"""Enqueue jobs now, selected by JID or by filters.

    \b
    Example: python -m clock {name} retry --class SendMailJob --yes
    """,
    )


def _reschedule(name: str, place: type[JobSet]) -> click.Command:
    @click.argument("jids", nargs=-1)
    @click.option(
        "--at", "when", required=True, metavar="WHEN", help="A date and time, tomorrow, or a duration: 2h, 30m."
    )
    @yes_option
    @filter_options
    @shared_options
    def command(when: str, wanted: Conditions, yes: bool, **options: Any) -> None:
        redis, clock = opened(answering_settings(**options))
        now = clock.now()
        at = later("--at", when, now, now.astimezone().tzinfo or UTC)
        jobs = place(redis=redis)
        size = _chosen(jobs, wanted)
        confirm(f"Reschedule {size} of `{place.name}` to {at.astimezone():%Y-%m-%d %H:%M:%S %Z}?", yes or not size)
        with progress("Rescheduling", size) as show:
            moved = jobs.reschedule(at, progress=show, **wanted)
        audit_jobs(redis, "reschedule_jobs", place.name, wanted, moved)
        echo(f"Rescheduled: {moved}")

    return _command(
        "reschedule",
        command,
        f"""Change the due time of jobs, selected by JID or by filters.

    WHEN is on this machine's clock unless it has a UTC offset. Dead jobs become scheduled ones.

    \b
    Example: python -m clock {name} reschedule --class 'Import*' --at 2h
    """,
    )


def _delete(name: str, place: type[JobSet]) -> click.Command:
    @click.argument("jids", nargs=-1)
    @yes_option
    @filter_options
    @shared_options
    def command(wanted: Conditions, yes: bool, **options: Any) -> None:
        redis, _ = opened(answering_settings(**options))
        jobs = place(redis=redis)
        size = _chosen(jobs, wanted)
        confirm(f"Delete {size} of `{place.name}` for good?", yes or not size)
        with progress("Deleting", size) as show:
            deleted = jobs.delete(progress=show, **wanted)
        audit_jobs(redis, "delete_jobs", place.name, wanted, deleted)
        echo(f"Deleted: {deleted}")

    return _command(
        "delete",
        command,
        f"""Delete jobs for good, selected by JID or by filters.

    \b
    Example: python -m clock {name} delete --older-than 30d
    """,
    )


def _clear(name: str, place: type[JobSet]) -> click.Command:
    @yes_option
    @shared_options
    def command(yes: bool, **options: Any) -> None:
        redis, _ = opened(answering_settings(**options))
        jobs = place(redis=redis)
        size = jobs.size()
        confirm(f"Delete all {size} of `{place.name}` for good?", yes or not size)
        deleted = jobs.clear()
        audit_jobs(redis, "delete_jobs", place.name, {}, deleted)
        echo(f"Deleted: {deleted}")

    return _command(
        "clear",
        command,
        f"""Delete all jobs of `{place.name}` for good.

    \b
    Example: python -m clock {name} clear
    """,
    )


def _kill(name: str, place: type[RetrySet | ScheduledSet]) -> click.Command:
    @click.argument("jids", nargs=-1)
    @yes_option
    @filter_options
    @shared_options
    def command(wanted: Conditions, yes: bool, **options: Any) -> None:
        config = answering_settings(**options)
        redis, clock = opened(config)
        jobs = place(redis=redis)
        size = _chosen(jobs, wanted)
        confirm(f"Move {size} of `{place.name}` to the dead?", yes or not size)
        with progress("Moving", size) as show:
            moved = jobs.kill(progress=show, **wanted)
        audit_jobs(redis, "bury_jobs", place.name, wanted, moved)
        removed = trim_dead(redis, seconds(clock.now()), DeadLimits(config.dead_max_jobs, config.dead_timeout))
        echo(f"Moved to dead: {moved}{'; ' if removed else ''}{removed}")

    return _command(
        "kill",
        command,
        f"""Move jobs to dead, selected by JID or by filters.

    \b
    Example: python -m clock {name} kill --class BrokenJob
    """,
    )


def _command(name: str, function: Callable[..., None], about: str) -> click.Command:
    return click.command(name, help=about)(function)


def _chosen(jobs: JobSet, wanted: Conditions, *, everything: bool = False) -> int:
    """The number of selected jobs. Raises UsageError without a selection."""
    if not wanted and not everything:
        raise click.UsageError(NO_CHOICE)
    return count(jobs, jobs.name, wanted)


def _row(job: FoundJob, *, now: float) -> list[object]:
    return [_when(job, now), job.job_class, job.args, job.queue, retries(job), job.jid, job.error]


def _when(job: FoundJob, now: float) -> str:
    if job.at is None:
        return ""
    if not 0 <= job.at < END_OF_DATES:
        return f"{job.at:g}"
    distance = duration(abs(job.at - now))
    if abs(job.at - now) > 86_400:
        return f"{datetime.fromtimestamp(job.at, UTC):%Y-%m-%d %H:%M}"
    return f"in {distance}" if job.at >= now else f"{distance} ago"


retry = _group("retry", RetrySet, "List, run, delete and kill jobs that wait for a retry.")
scheduled = _group("scheduled", ScheduledSet, "List, run, delete and kill jobs that are scheduled for later.")
dead = _group("dead", DeadSet, "List, run and delete jobs that failed for good.")
