"""`clock unique`: the locks of unique jobs."""

from __future__ import annotations

from typing import Any

import click

from clock.cli.auditing import audit
from clock.cli.groups import CommandGroup
from clock.cli.job_arguments import confirm, yes_option
from clock.cli.opening import opened
from clock.cli.options import answering_settings, limit_option, shared_options
from clock.cli.output import echo, echo_json, echo_table, json_option, utc
from clock.store.jobs.flow import unique_locks


@click.group(cls=CommandGroup)
def unique() -> None:
    """List the locks of unique jobs, or free one."""


@unique.command("list", short_help="List the locks.")
@limit_option()
@json_option
@shared_options
def list_command(limit: int, as_json: bool, **options: Any) -> None:
    """List the locks of unique jobs, the oldest first: key, the job that holds it, since when, until when.

    \b
    Example: python -m clock unique list
    """
    redis, _ = opened(answering_settings(**options))
    locks = sorted(unique_locks.held(redis), key=lambda lock: lock.since)
    if as_json:
        echo_json([lock._asdict() for lock in locks[:limit]])
    elif not locks:
        echo("No locks.")
    else:
        rows = [
            (lock.key, lock.jid, utc(lock.since), utc(lock.until) if lock.until else "its job has ended")
            for lock in locks[:limit]
        ]
        echo_table(["key", "jid", "since", "until"], rows, max(0, len(locks) - limit))


@unique.command(short_help="Free the lock KEY.")
@click.argument("key")
@yes_option
@shared_options
@click.pass_context
def free(ctx: click.Context, /, key: str, yes: bool, **options: Any) -> None:
    """Free the lock KEY, even if its job waits or runs. Exits 1 if KEY is unknown.

    \b
    Example: python -m clock unique free 'RebuildIndexJob:3f2a9c'
    """
    if not key:
        raise click.UsageError("the key is empty; `clock unique list` shows the keys")
    redis, _ = opened(answering_settings(**options))
    confirm(f"Free the lock {key}? Its job may still wait or run.", yes)
    is_freed = unique_locks.drop(redis, key)
    if is_freed:
        audit(redis, "free_lock", key)
    echo("freed" if is_freed else f"{key}: unknown lock")
    ctx.exit(0 if is_freed else 1)
