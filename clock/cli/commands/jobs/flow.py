"""`clock batches`, `clock limits` and `clock unique`: batches, concurrency limits, and locks of unique jobs."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from clock.api import Batches, BatchRef, Limits
from clock.cli.auditing import audit
from clock.cli.groups import CommandGroup
from clock.cli.opening import Opened, with_redis
from clock.cli.options import confirm, limit_option, yes_option
from clock.cli.output import echo, echo_json, echo_table, json_option, utc
from clock.errors import JobError
from clock.inspection.jobs.batches import BatchView, batch_json
from clock.inspection.jobs.limits import blocked_jobs, places
from clock.inspection.jobs.limits import limits as all_limits
from clock.job.flow.limits import LARGEST
from clock.printable import counted, shortened_list
from clock.store import Redis
from clock.store.jobs.flow import unique_locks


@click.command()
@click.argument("bid", required=False)
@click.option("--seal", is_flag=True, help="Seal the batch BID: its opener will not add more jobs.")
@limit_option()
@json_option
@with_redis
def batches(opened: Opened, bid: str | None, seal: bool, limit: int, as_json: bool) -> None:
    """List batches, the newest first; or show the batch BID with the jobs that have ended without success.

    Exits 1 if BID is unknown.

    \b
    Example: python -m clock batches
    """
    if bid is None:
        if seal:
            raise click.UsageError("--seal needs the id of a batch: clock batches BID --seal")
        _show_all(opened.redis, limit, as_json)
        return
    ref = BatchRef(bid, redis=opened.redis)
    if seal and ref.seal():
        audit(opened.redis, "seal_batch", bid)
        echo(f"{bid}: sealed")
    view = ref.view()
    if view is None:
        echo(f"clock: {bid}: unknown batch", err=True)
        sys.exit(1)
    _show_one(ref, view, limit, as_json)


def _show_all(redis: Redis, limit: int, as_json: bool) -> None:
    found = Batches(redis=redis).recent()
    if as_json:
        echo_json([batch_json(view) for view in found[:limit]])
        return
    rows = list[tuple[object, ...]]()
    for view in found[:limit]:
        counts = (view.total, view.done, view.pending, view.failed)
        rows.append((view.bid, _state(view), *counts, utc(view.created_at), view.description))
    names = ["batch", "state", "jobs", "done", "pending", "failed", "opened", "description"]
    echo_table(names, rows, len(found) - len(rows), none="No batches.")


def _show_one(ref: BatchRef, view: BatchView, limit: int, as_json: bool) -> None:
    failed = ref.failures(limit)
    if as_json:
        echo_json({**batch_json(view), "failures": [child._asdict() for child in failed]})
        return
    echo(f"{view.bid}: {_state(view)}, {view.done} of {view.total} jobs done, {view.pending} pending")
    for event, at in sorted(view.fired.items(), key=lambda item: item[1]):
        echo(f"{event}: {utc(at)}")
    for name, value in (("parent", view.parent), ("opened by job", view.opener), ("about", view.description)):
        if value:
            echo(f"{name}: {value}")
    if failed:
        rows = [(child.jid, child.how, child.class_name) for child in failed]
        echo_table(["jid", "ended", "class"], rows, max(0, view.failed - limit))


def _state(view: BatchView) -> str:
    return f"ended, {view.failed} failed" if view.ended_with_failures else view.state


@click.group(cls=CommandGroup, invoke_without_command=True)
@click.pass_context
def limits(ctx: click.Context) -> None:
    """List the concurrency limits, or set the maximum of one.

    \b
    Example: python -m clock limits
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_limits)


@limits.command("list", short_help="List the limits.")
@limit_option()
@json_option
@with_redis
def list_limits(opened: Opened, limit: int, as_json: bool) -> None:
    """List the limits that jobs hold or wait for, or that were set: name, maximum, holders, blocked jobs.

    \b
    Example: python -m clock limits list --json
    """
    found = all_limits(opened.redis, shown=limit)
    if as_json:
        echo_json([asdict(view) for view in found[:limit]])
        return
    rows = []
    for view in found[:limit]:
        maximum = ("?" if view.maximum is None else f"{view.maximum:,}") + (" (set)" if view.is_set else "")
        rows.append((view.name, maximum, f"{view.holders:,}", f"{view.blocked:,}"))
    headings = ["name", "maximum", "holders", "blocked"]
    echo_table(headings, rows, len(found) - len(rows), none="No limits are in use.")


@limits.command("show", short_help="Show the jobs that hold NAME, and those that it blocks.")
@click.argument("name")
@limit_option()
@json_option
@with_redis
def show_limit(opened: Opened, name: str, limit: int, as_json: bool) -> None:
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
def set_limit(opened: Opened, name: str, maximum: int) -> None:
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
def reset_limit(opened: Opened, name: str) -> None:
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


@click.group(cls=CommandGroup)
def unique() -> None:
    """List the locks of unique jobs, or free one."""


@unique.command("list", short_help="List the locks.")
@limit_option()
@json_option
@with_redis
def list_locks(opened: Opened, limit: int, as_json: bool) -> None:
    """List the locks of unique jobs, the oldest first: key, the job that holds it, since when, until when.

    \b
    Example: python -m clock unique list
    """
    locks = sorted(unique_locks.held(opened.redis), key=lambda lock: lock.since)
    if as_json:
        echo_json([lock._asdict() for lock in locks[:limit]])
        return
    rows = [
        (lock.key, lock.jid, utc(lock.since), utc(lock.until) if lock.until else "its job has ended")
        for lock in locks[:limit]
    ]
    echo_table(["key", "jid", "since", "until"], rows, len(locks) - len(rows), none="No locks.")


@unique.command(short_help="Free the lock KEY.")
@click.argument("key")
@yes_option
@with_redis
def free(opened: Opened, key: str, yes: bool) -> None:
    """Free the lock KEY, even if its job waits or runs. Exits 1 if KEY is unknown.

    \b
    Example: python -m clock unique free 'RebuildIndexJob:3f2a9c'
    """
    if not key:
        raise click.UsageError("the key is empty; `clock unique list` shows the keys")
    redis = opened.redis  # an unreachable Redis is reported before the question
    confirm(f"Free the lock {key}? Its job may still wait or run.", yes)
    if not unique_locks.drop(redis, key):
        echo(f"{key}: unknown lock")
        sys.exit(1)
    audit(redis, "free_lock", key)
    echo("freed")
