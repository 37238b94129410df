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
    Selection,
    confirm,
    list_options,
    one,
    retries,
    selection_options,
    show_found,
    show_job,
    yes_option,
)
from clock.cli.opening import opened
from clock.cli.options import answering_settings, shared_options
from clock.cli.output import echo, json_option
from clock.cli.times import later
from clock.inspection import trim_dead
from clock.job.payload import seconds
from clock.printable import counted, duration, local_time
from clock.store.jobs.dead import DeadLimits


def _group(name: str, place: type[JobSet], about: str) -> click.Group:
    """The commands for one of the sorted sets."""
    group = CommandGroup(name, help=about)
    for make in (_list, _search, _show, _retry, _reschedule, _delete, _clear):
        group.add_command(make(name, place))
    if place is not DeadSet:
        group.add_command(_kill(name, cast("type[RetrySet | ScheduledSet]", place)))
    return group


def _command(name: str, about: str, example: str) -> Callable[[Callable[..., None]], click.Command]:
    return click.command(name, help=f"{about}\n\n\b\nExample: python -m clock {example}")


def _list(name: str, place: type[JobSet]) -> click.Command:
    @_command("list", f"List the jobs of `{place.name}`, the earliest first.", f"{name} list --class 'Send*'")
    @list_options
    def command(wanted: Conditions, limit: int, as_json: bool, **options: Any) -> None:
        redis, clock = opened(answering_settings(**options))
        show_found(place(redis=redis), wanted, limit, as_json, partial(_row, now=seconds(clock.now())))

    return command


def _search(name: str, place: type[JobSet]) -> click.Command:
    @_command(
        "search",
        f"List the jobs of `{place.name}` that contain TEXT.\n\n"
        "Searches JID, class, arguments and error for TEXT, in upper or lower case.",
        f"{name} search ada@example.com",
    )
    @click.argument("text")
    @list_options
    def command(text: str, wanted: Conditions, limit: int, as_json: bool, **options: Any) -> None:
        redis, clock = opened(answering_settings(**options))
        row = partial(_row, now=seconds(clock.now()))
        if not text:
            raise click.UsageError("the text is empty; give a text to search for")
        show_found(place(redis=redis), {**wanted, "text": text}, limit, as_json, row)

    return command


def _show(name: str, place: type[JobSet]) -> click.Command:
    @_command("show", "Show all details of the job JID.", f"{name} show 2f9b51d4c0d3a86e7b1f0c5d")
    @click.argument("jid")
    @json_option
    @shared_options
    def command(jid: str, as_json: bool, **options: Any) -> None:
        redis, _ = opened(answering_settings(**options))
        show_job(one(place(redis=redis), place.name, jid), as_json)

    return command


def _retry(name: str, place: type[JobSet]) -> click.Command:
    @_command(
        "retry", "Enqueue jobs now, selected by JID or by filters.", f"{name} retry --class SendMailJob --yes"
    )
    @click.option("--all", "everything", is_flag=True, help="All jobs.")
    @selection_options
    def command(wanted: Conditions, everything: bool, yes: bool, **options: Any) -> None:
        redis, _ = opened(answering_settings(**options))
        jobs = place(redis=redis)
        question = f"Put {{}} of `{place.name}` into their queues?"
        action = jobs.add_to_queue if wanted else partial(jobs.add_to_queue, class_="*")
        selection = Selection(redis, jobs, wanted, everything=everything)
        moved = selection.change(action, question, yes, "Enqueueing", "retry_jobs")
        echo(f"Enqueued: {moved}")

    return command


def _reschedule(name: str, place: type[JobSet]) -> click.Command:
    @_command(
        "reschedule",
        "Change the due time of jobs, selected by JID or by filters.\n\n"
        "WHEN is in this machine's time zone unless it has a UTC offset. Dead jobs become scheduled jobs.",
        f"{name} reschedule --class 'Import*' --at 2h",
    )
    @click.option(
        "--at", "when", required=True, metavar="WHEN", help="A date and time, tomorrow, or a duration: 2h, 30m."
    )
    @selection_options
    def command(when: str, wanted: Conditions, yes: bool, **options: Any) -> None:
        redis, clock = opened(answering_settings(**options))
        now = clock.now()
        at = later("--at", when, now, now.astimezone().tzinfo or UTC)
        jobs = place(redis=redis)
        question = f"Reschedule {{}} of `{place.name}` to {local_time(at, None)}?"
        action = partial(jobs.reschedule, at)
        moved = Selection(redis, jobs, wanted).change(action, question, yes, "Rescheduling", "reschedule_jobs")
        echo(f"Rescheduled: {moved}")

    return command


def _delete(name: str, place: type[JobSet]) -> click.Command:
    @_command("delete", "Delete jobs for good, selected by JID or by filters.", f"{name} delete --older-than 30d")
    @selection_options
    def command(wanted: Conditions, yes: bool, **options: Any) -> None:
        redis, _ = opened(answering_settings(**options))
        jobs = place(redis=redis)
        question = f"Delete {{}} of `{place.name}` for good?"
        deleted = Selection(redis, jobs, wanted).change(jobs.delete, question, yes, "Deleting", "delete_jobs")
        echo(f"Deleted: {deleted}")

    return command


def _clear(name: str, place: type[JobSet]) -> click.Command:
    @_command("clear", f"Delete all jobs of `{place.name}` for good.", f"{name} clear")
    @yes_option
    @shared_options
    def command(yes: bool, **options: Any) -> None:
        redis, _ = opened(answering_settings(**options))
        jobs = place(redis=redis)
        size = jobs.size()
        confirm(f"Delete all ({counted(size, 'job')}) of `{place.name}` for good?", yes or not size)
        deleted = jobs.clear()
        audit_jobs(redis, "delete_jobs", place.name, {}, deleted)
        echo(f"Deleted: {deleted}")

    return command


def _kill(name: str, place: type[RetrySet | ScheduledSet]) -> click.Command:
    @_command("kill", "Move jobs to dead, selected by JID or by filters.", f"{name} kill --class BrokenJob")
    @selection_options
    def command(wanted: Conditions, yes: bool, **options: Any) -> None:
        config = answering_settings(**options)
        redis, clock = opened(config)
        jobs = place(redis=redis)
        question = f"Move {{}} of `{place.name}` to the dead?"
        moved = Selection(redis, jobs, wanted).change(jobs.kill, question, yes, "Moving", "bury_jobs")
        removed = trim_dead(redis, seconds(clock.now()), DeadLimits(config.dead_max_jobs, config.dead_timeout))
        echo(f"Moved to dead: {moved}{'; ' if removed else ''}{removed}")

    return command


def _row(job: FoundJob, *, now: float) -> list[object]:
    return [_when(job, now), job.job_class, job.args, job.queue, retries(job), job.jid, job.error]


def _when(job: FoundJob, now: float) -> str:
    assert job.at is not None  # noqa: S101  # each job of a set has a time
    if not 0 <= job.at < END_OF_DATES:
        return f"{job.at:g}"
    distance = duration(abs(job.at - now))
    if abs(job.at - now) > 86_400:
        return f"{datetime.fromtimestamp(job.at, UTC):%Y-%m-%d %H:%M}"
    return f"in {distance}" if job.at >= now else f"{distance} ago"


retry = _group("retry", RetrySet, "List, run, delete and kill jobs that wait for a retry.")
scheduled = _group("scheduled", ScheduledSet, "List, run, delete and kill jobs that are scheduled for later.")
dead = _group("dead", DeadSet, "List, run and delete jobs that failed for good.")
