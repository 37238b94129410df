"""`clock retry`, `clock scheduled`, `clock dead`: the jobs that wait, or have failed for good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

import click

from clock.cli.groups import CommandGroup
from clock.cli.job_arguments import (
    END_OF_DATES,
    confirm,
    filter_options,
    in_batches,
    meant,
    retries,
    show_job,
    show_jobs,
    yes_option,
)
from clock.cli.options import answering_settings, shared_options
from clock.cli.output import duration, echo, json_option
from clock.cli.wiring import opened
from clock.inspection import DEAD, RETRY, SCHEDULE, FoundJob, JobFilter, SetName, WaitingSet, matching, trim_dead
from clock.job.payload import seconds
from clock.store.jobs.dead import DeadLimits


def _group(name: str, place: SetName, about: str) -> click.Group:
    """The commands for one of the sorted sets."""
    group = CommandGroup(name, help=about)
    commands: list[Callable[[str, SetName], click.Command]] = [_list, _show, _retry, _delete, _clear]
    if place != DEAD:
        commands.append(_kill)
    for make in commands:
        group.add_command(make(name, place))
    return group


def _list(name: str, place: SetName) -> click.Command:
    @click.option(
        "--limit", type=click.IntRange(min=1), default=50, help="Maximum number of jobs to show; default: 50."
    )
    @json_option
    @filter_options
    @shared_options
    def command(wanted: JobFilter, limit: int, as_json: bool, **options: Any) -> None:
        redis, clock = opened(answering_settings(**options))
        now = seconds(clock.now())
        jobs = matching(WaitingSet(redis, place).jobs(), wanted, now=now)
        shown = list(islice(jobs, limit))
        show_jobs(shown, sum(1 for _ in jobs), as_json, partial(_row, now=now))

    return _command(
        "list",
        command,
        f"""List the jobs of `{place}`, the earliest first.

    \b
    Example: python -m clock {name} list --class 'Send*' --older-than 2h
    """,
    )


def _show(name: str, place: SetName) -> click.Command:
    @click.argument("jid")
    @json_option
    @shared_options
    def command(jid: str, as_json: bool, **options: Any) -> None:
        redis, _ = opened(answering_settings(**options))
        [job] = meant(WaitingSet(redis, place), JobFilter(frozenset([jid])), 0)
        show_job(job, as_json)

    return _command(
        "show",
        command,
        f"""Show all details of the job JID.

    \b
    Example: python -m clock {name} show 2f9b51d4c0d3a86e7b1f0c5d
    """,
    )


def _retry(name: str, place: SetName) -> click.Command:
    @click.argument("jids", nargs=-1)
    @click.option("--all", "everything", is_flag=True, help="All jobs.")
    @yes_option
    @filter_options
    @shared_options
    def command(wanted: JobFilter, everything: bool, yes: bool, **options: Any) -> None:
        redis, clock = opened(answering_settings(**options))
        now, waiting = seconds(clock.now()), WaitingSet(redis, place)
        jobs = _chosen(waiting, wanted, now, everything)
        confirm(f"Put {len(jobs)} of `{place}` into their queues?", yes or not jobs)
        moved = in_batches(jobs, "Enqueueing", lambda batch: waiting.enqueue(batch, now))
        echo(f"Enqueued: {moved}")

    return _command(
        "retry",
        command,
        f"""Enqueue jobs now, selected by JID or by filters.

    \b
    Example: python -m clock {name} retry --class SendMailJob --yes
    """,
    )


def _delete(name: str, place: SetName) -> click.Command:
    @click.argument("jids", nargs=-1)
    @yes_option
    @filter_options
    @shared_options
    def command(wanted: JobFilter, yes: bool, **options: Any) -> None:
        redis, clock = opened(answering_settings(**options))
        waiting = WaitingSet(redis, place)
        jobs = _chosen(waiting, wanted, seconds(clock.now()), everything=False)
        confirm(f"Delete {len(jobs)} of `{place}` for good?", yes or not jobs)
        echo(f"Deleted: {in_batches(jobs, 'Deleting', waiting.delete)}")

    return _command(
        "delete",
        command,
        f"""Delete jobs for good, selected by JID or by filters.

    \b
    Example: python -m clock {name} delete --older-than 30d
    """,
    )


def _clear(name: str, place: SetName) -> click.Command:
    @yes_option
    @shared_options
    def command(yes: bool, **options: Any) -> None:
        redis, _ = opened(answering_settings(**options))
        waiting = WaitingSet(redis, place)
        size = waiting.size()
        confirm(f"Delete all {size} of `{place}` for good?", yes or not size)
        echo(f"Deleted: {waiting.clear()}")

    return _command(
        "clear",
        command,
        f"""Delete all jobs of `{place}` for good.

    \b
    Example: python -m clock {name} clear
    """,
    )


def _kill(name: str, place: SetName) -> click.Command:
    @click.argument("jids", nargs=-1)
    @yes_option
    @filter_options
    @shared_options
    def command(wanted: JobFilter, yes: bool, **options: Any) -> None:
        config = answering_settings(**options)
        redis, clock = opened(config)
        now, waiting = seconds(clock.now()), WaitingSet(redis, place)
        jobs = _chosen(waiting, wanted, now, everything=False)
        confirm(f"Move {len(jobs)} of `{place}` to the dead?", yes or not jobs)
        moved = in_batches(jobs, "Moving", lambda batch: waiting.bury(batch, now))
        removed = trim_dead(redis, now, DeadLimits(config.dead_max_jobs, config.dead_timeout))
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


def _chosen(waiting: WaitingSet, wanted: JobFilter, now: float, everything: bool) -> list[FoundJob]:
    if wanted.accepts_all and not everything:
        raise click.UsageError("select jobs by JID, or with --class, --queue or --older-than")
    return meant(waiting, wanted, now)


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


retry = _group("retry", RETRY, "List, run, delete and kill jobs that wait for a retry.")
scheduled = _group("scheduled", SCHEDULE, "List, run, delete and kill jobs that are scheduled for later.")
dead = _group("dead", DEAD, "List, run and delete jobs that failed for good.")
