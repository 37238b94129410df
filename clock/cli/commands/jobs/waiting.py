"""`clock queue`, `clock retry`, `clock scheduled`, `clock dead`: jobs that wait in queues and in sorted sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC
from functools import partial, update_wrapper
from inspect import cleandoc
from typing import Any

import click

from clock.api import Conditions, DeadSet, JobSet, Queue, RetrySet, ScheduledSet
from clock.cli.auditing import audit
from clock.cli.groups import CommandGroup
from clock.cli.job_arguments import (
    DELETION,
    JobChange,
    change,
    list_options,
    selection_options,
    show_found,
    show_job,
)
from clock.cli.opening import Opened, with_redis
from clock.cli.options import confirm, yes_option
from clock.cli.output import echo, echo_json, echo_table, json_option
from clock.cli.times import later
from clock.errors import ClockError
from clock.inspection.jobs.job_sets import trim_dead
from clock.job.payload import seconds
from clock.printable import counted, duration, local_time
from clock.store import Redis
from clock.store.jobs.dead import DeadLimits


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
    show_job(_place(opened.redis, name), jid, as_json)


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


@list_options
def _list(opened: Opened, place: type[JobSet], wanted: Conditions, limit: int, as_json: bool) -> None:
    """List the jobs of `{set}`, the earliest first.

    \b
    Example: python -m clock {group} list --class 'Send*'
    """
    show_found(opened, place(redis=opened.redis), wanted, limit, as_json)


@click.argument("text")
@list_options
def _search(opened: Opened, place: type[JobSet], text: str, wanted: Conditions, limit: int, as_json: bool) -> None:
    """List the jobs of `{set}` that contain TEXT.

    Searches JID, class, arguments and error for TEXT, in upper or lower case.

    \b
    Example: python -m clock {group} search ada@example.com
    """
    if not text:
        raise click.UsageError("the text is empty; give a text to search for")
    show_found(opened, place(redis=opened.redis), {**wanted, "text": text}, limit, as_json)


@click.argument("jid")
@json_option
@with_redis
def _show(opened: Opened, place: type[JobSet], jid: str, as_json: bool) -> None:
    """Show all details of the job JID.

    \b
    Example: python -m clock {group} show 2f9b51d4c0d3a86e7b1f0c5d
    """
    show_job(place(redis=opened.redis), jid, as_json)


@click.option("--all", "everything", is_flag=True, help="All jobs.")
@selection_options
def _retry(opened: Opened, place: type[JobSet], wanted: Conditions, everything: bool, yes: bool) -> None:
    """Enqueue jobs now, selected by JID or by filters.

    \b
    Example: python -m clock {group} retry --class SendMailJob --yes
    """
    jobs = place(redis=opened.redis)
    kind = JobChange("Put {} of {} into their queues?", "Enqueueing", "retry_jobs")
    action = jobs.add_to_queue if wanted else partial(jobs.add_to_queue, class_="*")
    echo(f"Enqueued: {change(opened, jobs, wanted, yes, kind, action)}")


@click.option(
    "--at", "when", required=True, metavar="WHEN", help="A date and time, tomorrow, or a duration: 2h, 30m."
)
@selection_options
def _reschedule(opened: Opened, place: type[JobSet], when: str, wanted: Conditions, yes: bool) -> None:
    """Change the due time of jobs, selected by JID or by filters.

    WHEN is in this machine's time zone unless it has a UTC offset. Dead jobs become scheduled jobs.

    \b
    Example: python -m clock {group} reschedule --class 'Import*' --at 2h
    """
    now = opened.clock.now()
    at = later("--at", when, now, now.astimezone().tzinfo or UTC)
    jobs = place(redis=opened.redis)
    question = f"Reschedule {{}} of {{}} to {local_time(at, None)}?"
    kind = JobChange(question, "Rescheduling", "reschedule_jobs")
    echo(f"Rescheduled: {change(opened, jobs, wanted, yes, kind, partial(jobs.reschedule, at))}")


@selection_options
def _delete(opened: Opened, place: type[JobSet], wanted: Conditions, yes: bool) -> None:
    """Delete jobs for good, selected by JID or by filters.

    \b
    Example: python -m clock {group} delete --older-than 30d
    """
    jobs = place(redis=opened.redis)
    echo(f"Deleted: {change(opened, jobs, wanted, yes, DELETION, jobs.delete)}")


@yes_option
@with_redis
def _clear(opened: Opened, place: type[JobSet], yes: bool) -> None:
    """Delete all jobs of `{set}` for good.

    \b
    Example: python -m clock {group} clear
    """
    jobs = place(redis=opened.redis)
    size = jobs.size()
    confirm(f"Delete all ({counted(size, 'job')}) of `{place.name}` for good?", yes or not size)
    deleted = jobs.clear()
    audit(opened.redis, "delete_jobs", f"{place.name}: all", deleted)
    echo(f"Deleted: {deleted}")


@selection_options
def _kill(opened: Opened, place: type[RetrySet | ScheduledSet], wanted: Conditions, yes: bool) -> None:
    """Move jobs to dead, selected by JID or by filters.

    \b
    Example: python -m clock {group} kill --class BrokenJob
    """
    jobs = place(redis=opened.redis)
    kind = JobChange("Move {} of {} to the dead?", "Moving", "bury_jobs")
    moved = change(opened, jobs, wanted, yes, kind, jobs.kill)
    limits = DeadLimits(opened.config.dead_max_jobs, opened.config.dead_timeout)
    removed = trim_dead(opened.redis, seconds(opened.clock.now()), limits)
    echo(f"Moved to dead: {moved}{'; ' if removed else ''}{removed}")


def _group(name: str, place: type[JobSet], about: str) -> click.Group:
    """The commands for one of the sorted sets; its names replace {group} and {set} in their help."""
    group = CommandGroup(name, help=about)
    functions: list[Callable[..., Any]] = [_list, _search, _show, _retry, _reschedule, _delete, _clear]
    for function in functions if place is DeadSet else [*functions, _kill]:
        text = cleandoc(function.__doc__ or "").format(group=name, set=place.name)
        command = update_wrapper(partial(function, place), function)
        group.command(function.__name__.removeprefix("_"), help=text)(command)
    return group


retry = _group("retry", RetrySet, "List, run, delete and kill jobs that wait for a retry.")
scheduled = _group("scheduled", ScheduledSet, "List, run, delete and kill jobs that are scheduled for later.")
dead = _group("dead", DeadSet, "List, run and delete jobs that failed for good.")
