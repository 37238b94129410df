"""`clock queue`: the queues, and the jobs that wait in them."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from itertools import islice
from typing import Any

import click

from clock.cli.groups import CommandGroup
from clock.cli.job_arguments import (
    BATCH,
    TURNS,
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
from clock.cli.output import duration, echo, echo_json, echo_table, json_option
from clock.cli.wiring import opened
from clock.errors import ClockError
from clock.inspection import FoundJob, JobFilter, QueueJobs, matching, queues
from clock.job.payload import seconds
from clock.store import Redis


@click.group(cls=CommandGroup)
def queue() -> None:
    """List, show and delete queued jobs."""


@queue.command("list", short_help="List the queues, or the jobs of the queue NAME.")
@click.argument("name", required=False)
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, help="Maximum number of jobs to show; default: 50."
)
@json_option
@filter_options
@shared_options
def list_command(name: str | None, wanted: JobFilter, limit: int, as_json: bool, **options: Any) -> None:
    """List the queues with their latency; with NAME, list the jobs of that queue, next job first.

    \b
    Example: python -m clock queue list default --class 'Send*'
    """
    redis, clock = opened(answering_settings(**options))
    now = seconds(clock.now())
    if name is None:
        _show_queues(redis, now, as_json)
        return
    jobs = matching(_place(redis, name).jobs(), wanted, now=now)
    shown = list(islice(jobs, limit))
    show_jobs(shown, sum(1 for _ in jobs), as_json, partial(_row, now=now))


@queue.command()
@click.argument("name")
@click.argument("jid")
@json_option
@shared_options
def show(name: str, jid: str, as_json: bool, **options: Any) -> None:
    """Show all details of the job JID in the queue NAME.

    \b
    Example: python -m clock queue show default 2f9b51d4c0d3a86e7b1f0c5d
    """
    redis, _ = opened(answering_settings(**options))
    [job] = meant(_place(redis, name), JobFilter(frozenset([jid])), 0)
    show_job(job, as_json)


@queue.command(short_help="Delete jobs of the queue NAME for good.")
@click.argument("name")
@click.argument("jids", nargs=-1)
@yes_option
@filter_options
@shared_options
def delete(name: str, wanted: JobFilter, yes: bool, **options: Any) -> None:
    """Delete jobs of the queue NAME for good, selected by JID or by filters.

    \b
    Example: python -m clock queue delete default --class OldJob
    """
    if wanted.accepts_all:
        raise click.UsageError("select jobs by JID, or with --class or --older-than")
    redis, clock = opened(answering_settings(**options))
    place = _place(redis, name)
    jobs = meant(place, wanted, seconds(clock.now()))
    confirm(f"Delete {len(jobs)} of the queue {name!r} for good?", yes or not jobs)
    size = max(BATCH, len(jobs) // TURNS + 1)
    echo(f"Deleted: {in_batches(jobs, 'Deleting', place.delete, size)}")


@queue.command(short_help="Delete the queue NAME and all its jobs for good.")
@click.argument("name")
@yes_option
@shared_options
def clear(name: str, yes: bool, **options: Any) -> None:
    """Delete all jobs of the queue NAME for good, and the queue with them.

    \b
    Example: python -m clock queue clear low
    """
    redis, clock = opened(answering_settings(**options))
    place = _place(redis, name)
    [size] = [view.size for view in queues(redis, seconds(clock.now())) if view.name == name]
    confirm(f"Delete all {size} jobs of the queue {name!r} for good?", yes or not size)
    echo(f"Deleted: {place.clear()}")


def _place(redis: Redis, name: str) -> QueueJobs:
    known = [view.name for view in queues(redis, 0)]
    if name not in known:
        raise ClockError(f"no queue {name!r}; available: {', '.join(known) or 'none'}")
    return QueueJobs(redis, name)


def _show_queues(redis: Redis, now: float, as_json: bool) -> None:
    found = queues(redis, now)
    if as_json:
        echo_json([asdict(view) for view in found])
    elif found:
        echo_table(
            ["queue", "jobs", "latency"],
            [(view.name, view.size, duration(view.latency) if view.size else "-") for view in found],
        )
        for view in found:
            if view.problem:
                echo(f"! {view.problem}", fg="red")
    else:
        echo("No queues yet: nothing has been pushed.")


def _row(job: FoundJob, *, now: float) -> list[object]:
    waited = f"{duration(max(0.0, now - job.since))} ago" if job.since is not None else ""
    return [waited, job.job_class, job.args, job.queue, retries(job), job.jid, job.error]
