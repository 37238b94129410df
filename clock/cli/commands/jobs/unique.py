"""`clock unique`: the locks of unique jobs."""

from __future__ import annotations

import sys

import click

from clock.cli.auditing import audit
from clock.cli.groups import CommandGroup
from clock.cli.job_arguments import confirm, yes_option
from clock.cli.opening import Opened, with_redis
from clock.cli.options import limit_option
from clock.cli.output import echo, echo_json, echo_table, json_option, utc
from clock.store.jobs.flow import unique_locks


@click.group(cls=CommandGroup)
def unique() -> None:
    """List the locks of unique jobs, or free one."""


@unique.command("list", short_help="List the locks.")
@limit_option()
@json_option
@with_redis
def list_command(opened: Opened, limit: int, as_json: bool) -> None:
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
    confirm(f"Free the lock {key}? Its job may still wait or run.", yes)
    if not unique_locks.drop(opened.redis, key):
        echo(f"{key}: unknown lock")
        sys.exit(1)
    audit(opened.redis, "free_lock", key)
    echo("freed")
