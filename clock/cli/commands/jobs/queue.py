"""`clock queue`: the queues, and the jobs that wait in them."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

import click

from clock.api import Conditions, FoundJob, Queue, QueueView
from clock.cli.auditing import audit
from clock.cli.groups import CommandGroup
from clock.cli.job_arguments import (
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
from clock.cli.output import echo, echo_json, echo_table, json_option
from clock.errors import ClockError
from clock.job.payload import seconds
from clock.printable import counted, duration
from clock.store import Redis


@click.group(cls=CommandGroup)
def queue() -> None:
    """List, show and delete queued jobs."""


@queue.command("list", short_help="List the queues, or the jobs of the queue NAME.")
@click.argument("name", required=False)
@list_options
def list_command(name: str | None, wanted: Conditions, limit: int, as_json: bool, **options: Any) -> None:
    """List the queues with their latency; with NAME, list the jobs of that queue, next job first.

    \b
    Example: python -m clock queue list default --class 'Send*'
    """
    redis, clock = opened(answering_settings(**options))
    if name is None:
        _show_queues(redis, as_json)
        return
    show_found(_place(redis, name), wanted, limit, as_json, partial(_row, now=seconds(clock.now())))


@queue.command(short_help="List the jobs of the queue NAME that contain TEXT.")
@click.argument("name")
@click.argument("text")
@list_options
def search(name: str, text: str, wanted: Conditions, limit: int, as_json: bool, **options: Any) -> None:
    """List the jobs of the queue NAME that contain TEXT in JID, class, arguments or error.

    \b
    Example: python -m clock queue search default ada@example.com
    """
    redis, clock = opened(answering_settings(**options))
    row = partial(_row, now=seconds(clock.now()))
    show_found(_place(redis, name), {**wanted, "text": text}, limit, as_json, row)


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
    show_job(one(_place(redis, name), name, jid), as_json)


@queue.command(short_help="Delete jobs of the queue NAME for good.")
@click.argument("name")
@selection_options
def delete(name: str, wanted: Conditions, yes: bool, **options: Any) -> None:
    """Delete jobs of the queue NAME for good, selected by JID or by filters.

    \b
    Example: python -m clock queue delete default --class OldJob
    """
    redis, _ = opened(answering_settings(**options))
    place = _place(redis, name)
    jobs = Selection(redis, place, wanted, audited=f"queue {name}")
    question = f"Delete {{}} of the queue {name!r} for good?"
    deleted = jobs.change(place.delete, question, yes, "Deleting", "delete_jobs")
    echo(f"Deleted: {deleted}")


@queue.command(short_help="Delete the queue NAME and all its jobs for good.")
@click.argument("name")
@yes_option
@shared_options
def clear(name: str, yes: bool, **options: Any) -> None:
    """Delete all jobs of the queue NAME for good, and the queue with them.

    \b
    Example: python -m clock queue clear low
    """
    redis, _ = opened(answering_settings(**options))
    place = _place(redis, name)
    size = place.size()
    confirm(f"Delete all ({counted(size, 'job')}) of the queue {name!r} for good?", yes or not size)
    deleted = place.clear()
    audit(redis, "clear_queue", name, deleted)
    echo(f"Deleted: {deleted}")


@queue.command("pause", short_help="Pause the queue NAME: workers take no jobs from it.")
@click.argument("name")
@shared_options
def pause_command(name: str, **options: Any) -> None:
    """Pause the queue NAME: workers take no jobs from it. Running jobs continue, and jobs can still be pushed.

    \b
    Example: python -m clock queue pause mail
    """
    redis, _ = opened(answering_settings(**options))
    if not name.strip():
        raise ClockError("the name of the queue is empty; `clock queue` lists the queues")
    known = [view.name for view in Queue.all(redis=redis)]  # afterwards it has this one, too
    paused = Queue(name, redis=redis).pause()
    if paused:
        audit(redis, "pause_queue", name)
    echo(f"Paused the queue {name!r}" if paused else f"{name!r} was paused already")
    if name not in known:
        echo(f"No job has used the queue {name!r} yet; known queues: {', '.join(known) or 'none'}", err=True)


@queue.command("unpause", short_help="Resume the paused queue NAME.")
@click.argument("name")
@shared_options
def unpause_command(name: str, **options: Any) -> None:
    """Resume the paused queue NAME: workers take jobs from it again.

    \b
    Example: python -m clock queue unpause mail
    """
    redis, _ = opened(answering_settings(**options))
    unpaused = Queue(name, redis=redis).unpause()
    if unpaused:
        audit(redis, "unpause_queue", name)
    echo(f"Unpaused the queue {name!r}" if unpaused else f"{name!r} was not paused")


def _place(redis: Redis, name: str) -> Queue:
    known = [view.name for view in Queue.all(redis=redis)]
    if name not in known:
        raise ClockError(f"no queue {name!r}; available: {', '.join(known) or 'none'}")
    return Queue(name, redis=redis)


def _show_queues(redis: Redis, as_json: bool) -> None:
    found = Queue.all(redis=redis)
    if as_json:
        echo_json([asdict(view) for view in found])
    elif found:
        echo_table(["queue", "jobs", "latency", ""], [_queue_row(view) for view in found])
        for view in found:
            if view.problem:
                echo(f"! {view.problem}", fg="red")
    else:
        echo("No queues yet: nothing has been pushed.")


def _queue_row(view: QueueView) -> tuple[object, ...]:
    latency = duration(view.latency) if view.size else "-"
    return view.name, view.size, latency, "paused" if view.is_paused else ""


def _row(job: FoundJob, *, now: float) -> list[object]:
    waited = f"{duration(max(0.0, now - job.since))} ago" if job.since is not None else ""
    return [waited, job.job_class, job.args, job.queue, retries(job), job.jid, job.error]
