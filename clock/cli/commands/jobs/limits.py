"""`clock limits`: concurrency limits, and their maximum at run time."""

from __future__ import annotations

from dataclasses import asdict

import click

from clock.api import Limits
from clock.cli.auditing import audit
from clock.cli.groups import CommandGroup
from clock.cli.opening import Opened, with_redis
from clock.cli.options import limit_option
from clock.cli.output import echo, echo_json, echo_table, json_option
from clock.errors import JobError
from clock.inspection.jobs.limits import LimitView, blocked_jobs, places
from clock.inspection.jobs.limits import limits as all_limits
from clock.job.flow.limits import LARGEST
from clock.printable import counted, shortened_list
from clock.store import Redis


@click.group(cls=CommandGroup, invoke_without_command=True)
@click.pass_context
def limits(ctx: click.Context) -> None:
    """List the concurrency limits, or set the maximum of one.

    \b
    Example: python -m clock limits
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@limits.command("list", short_help="List the limits.")
@limit_option()
@json_option
@with_redis
def list_command(opened: Opened, limit: int, as_json: bool) -> None:
    """List the limits that jobs hold or wait for, or that were set: name, maximum, holders, blocked jobs.

    \b
    Example: python -m clock limits list --json
    """
    found = all_limits(opened.redis, shown=limit)
    if as_json:
        echo_json([asdict(view) for view in found[:limit]])
        return
    rows = [(view.name, _maximum(view), f"{view.holders:,}", f"{view.blocked:,}") for view in found[:limit]]
    headings = ["name", "maximum", "holders", "blocked"]
    echo_table(headings, rows, len(found) - len(rows), none="No limits are in use.")


@limits.command("show", short_help="Show the jobs that hold NAME, and those that it blocks.")
@click.argument("name")
@limit_option()
@json_option
@with_redis
def show_command(opened: Opened, name: str, limit: int, as_json: bool) -> None:
    """Show the jobs that hold a place of the limit NAME, and the jobs that it blocks, in their order.

    \b
    Example: python -m clock limits show crm
    """
    held, blocked = places(opened.redis, name, limit), blocked_jobs(opened.redis, name, limit)
    if as_json:
        echo_json(
            {
                "name": name,
                "holders": [{"jid": jid, "place": place} for jid, place in held],
                "blocked": [{"jid": job.jid, "class": job.job_class, "queue": job.queue} for job in blocked],
            }
        )
        return
    rows = [("holds a place", jid, place) for jid, place in held]
    rows += [("is blocked", job.jid, f"{job.job_class}, queue {job.queue}") for job in blocked]
    if rows:
        echo_table(["job", "jid", "where"], rows)
    else:
        echo(f"No job holds a place of {name!r} or waits for one. {_names_in_use(opened.redis)}")


@limits.command("set", short_help="Set the maximum of the limit NAME.")
@click.argument("name")
@click.argument("maximum", type=click.IntRange(0, LARGEST))
@with_redis
def set_command(opened: Opened, name: str, maximum: int) -> None:
    """Set the maximum of the limit NAME at once, for all workers. With 0, none of its jobs starts.

    It replaces the maximum in the code until `limits reset`.

    \b
    Example: python -m clock limits set crm 10
    """
    redis = opened.redis
    in_use = any(view.name == name and (view.holders or view.blocked) for view in all_limits(redis, shown=0))
    try:
        freed = Limits(redis=redis).set_maximum(name, maximum)
    except JobError as error:
        raise click.UsageError(str(error)) from None
    audit(redis, "set_limit", f"{name}: {maximum}")
    echo(f"{name}: at most {counted(maximum, 'job')} at a time; {freed:,} blocked jobs can run now")
    if not in_use:
        echo(f"Note: no job has this limit at this moment. {_names_in_use(redis)}")


@limits.command("reset", short_help="Use the maximum in the code again.")
@click.argument("name")
@with_redis
def reset_command(opened: Opened, name: str) -> None:
    """Remove the maximum that was set for the limit NAME.

    \b
    Example: python -m clock limits reset crm
    """
    freed = Limits(redis=opened.redis).reset(name)
    audit(opened.redis, "set_limit", f"{name}: as in the code")
    echo(f"{name}: the maximum in the code counts; {freed:,} blocked jobs can run now")


def _names_in_use(redis: Redis) -> str:
    names = [view.name for view in all_limits(redis, shown=0) if view.holders or view.blocked]
    return f"Limits in use: {shortened_list(names)}" if names else "No limit holds or blocks a job now."


def _maximum(view: LimitView) -> str:
    shown = "?" if view.maximum is None else f"{view.maximum:,}"
    return f"{shown} (set)" if view.is_set else shown
