"""`clock queue`: the queues, and the jobs that wait in them."""

from __future__ import annotations

from dataclasses import asdict

import click

from clock.api import Conditions, Queue
from clock.cli.auditing import audit
from clock.cli.groups import CommandGroup
from clock.cli.job_arguments import (
    DELETION,
    change,
    confirm,
    list_options,
    one,
    selection_options,
    show_found,
    show_job,
    yes_option,
)
from clock.cli.opening import Opened, with_redis
from clock.cli.output import echo, echo_json, echo_table, json_option
from clock.errors import ClockError
from clock.printable import counted, duration
from clock.store import Redis


@click.group(cls=CommandGroup)
def queue() -> None:
    """List, show and delete queued jobs."""


@queue.command("list", short_help="List the queues, or the jobs of the queue NAME.")
@click.argument("name", required=False)
@list_options
def list_command(opened: Opened, name: str | None, wanted: Conditions, limit: int, as_json: bool) -> None:
    """List the queues with their latency; with NAME, list the jobs of that queue, next job first.

    \b
    Example: python -m clock queue list default --class 'Send*'
    """
    if name is None:
        _show_queues(opened.redis, as_json)
        return
    show_found(opened, _place(opened.redis, name), wanted, limit, as_json)


@queue.command(short_help="List the jobs of the queue NAME that contain TEXT.")
@click.argument("name")
@click.argument("text")
@list_options
def search(opened: Opened, name: str, text: str, wanted: Conditions, limit: int, as_json: bool) -> None:
    """List the jobs of the queue NAME that contain TEXT in JID, class, arguments or error.

    \b
    Example: python -m clock queue search default ada@example.com
    """
    show_found(opened, _place(opened.redis, name), {**wanted, "text": text}, limit, as_json)


@queue.command()
@click.argument("name")
@click.argument("jid")
@json_option
@with_redis
def show(opened: Opened, name: str, jid: str, as_json: bool) -> None:
    """Show all details of the job JID in the queue NAME.

    \b
    Example: python -m clock queue show default 2f9b51d4c0d3a86e7b1f0c5d
    """
    show_job(one(_place(opened.redis, name), jid), as_json)


@queue.command(short_help="Delete jobs of the queue NAME for good.")
@click.argument("name")
@selection_options
def delete(opened: Opened, name: str, wanted: Conditions, yes: bool) -> None:
    """Delete jobs of the queue NAME for good, selected by JID or by filters.

    \b
    Example: python -m clock queue delete default --class OldJob
    """
    place = _place(opened.redis, name)
    echo(f"Deleted: {change(opened, place, wanted, yes, DELETION, place.delete)}")


@queue.command(short_help="Delete the queue NAME and all its jobs for good.")
@click.argument("name")
@yes_option
@with_redis
def clear(opened: Opened, name: str, yes: bool) -> None:
    """Delete all jobs of the queue NAME for good, and the queue with them.

    \b
    Example: python -m clock queue clear low
    """
    place = _place(opened.redis, name)
    size = place.size()
    confirm(f"Delete all ({counted(size, 'job')}) of the queue {name!r} for good?", yes or not size)
    deleted = place.clear()
    audit(opened.redis, "clear_queue", name, deleted)
    echo(f"Deleted: {deleted}")


@queue.command("pause", short_help="Pause the queue NAME: workers take no jobs from it.")
@click.argument("name")
@with_redis
def pause_command(opened: Opened, name: str) -> None:
    """Pause the queue NAME: workers take no jobs from it. Running jobs continue, and jobs can still be pushed.

    \b
    Example: python -m clock queue pause mail
    """
    if not name.strip():
        raise ClockError("the name of the queue is empty; `clock queue` lists the queues")
    known = [view.name for view in Queue.all(redis=opened.redis)]  # afterwards it has this one, too
    paused = Queue(name, redis=opened.redis).pause()
    if paused:
        audit(opened.redis, "pause_queue", name)
    echo(f"Paused the queue {name!r}" if paused else f"{name!r} was paused already")
    if name not in known:
        echo(f"No job has used the queue {name!r} yet; known queues: {', '.join(known) or 'none'}", err=True)


@queue.command("unpause", short_help="Resume the paused queue NAME.")
@click.argument("name")
@with_redis
def unpause_command(opened: Opened, name: str) -> None:
    """Resume the paused queue NAME: workers take jobs from it again.

    \b
    Example: python -m clock queue unpause mail
    """
    unpaused = Queue(name, redis=opened.redis).unpause()
    if unpaused:
        audit(opened.redis, "unpause_queue", name)
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
        return
    rows = [
        (view.name, view.size, duration(view.latency) if view.size else "-", "paused" if view.is_paused else "")
        for view in found
    ]
    echo_table(["queue", "jobs", "latency", ""], rows, none="No queues yet: nothing has been pushed.")
    for view in found:
        if view.problem:
            echo(f"! {view.problem}", fg="red")
