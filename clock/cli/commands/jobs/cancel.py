"""`clock cancel`: cancels jobs."""

from __future__ import annotations

import sys

import click

from clock.api import JobRef
from clock.cli.auditing import audit
from clock.cli.opening import Opened, with_redis
from clock.cli.output import echo, echo_json, json_option


@click.command()
@click.argument("jids", nargs=-1, required=True, metavar="JID...")
@json_option
@with_redis
def cancel(opened: Opened, jids: tuple[str, ...], as_json: bool) -> None:
    """Cancel the jobs of these ids. A job that waits is deleted, a running one gets JobCancelled.

    A running job ends at its next checkpoint: an item of an IterableJob, `self.check()`, or an `await`. A thread
    is never interrupted. Exits 1 if a job was not found.

    \b
    Example: python -m clock cancel 2f9b51d4c0d3a86e7b1f0c5d
    """
    if not all(map(str.strip, jids)):
        raise click.UsageError("a jid is empty; give jids as perform_async returns them")
    found: dict[str, bool] = {}
    try:
        for jid in jids:
            found[jid] = JobRef(jid, redis=opened.redis).cancel()
    finally:  # the audit log has the jobs that were cancelled before an error, too
        if cancelled := [jid for jid, is_cancelled in found.items() if is_cancelled]:
            audit(opened.redis, "cancel_job", ", ".join(cancelled), len(cancelled))
    if as_json:
        echo_json([{"jid": jid, "cancelled": is_cancelled} for jid, is_cancelled in found.items()])
    else:
        for jid, is_cancelled in found.items():
            echo(f"{jid}: {'cancelled' if is_cancelled else 'not found: it is done, or its id is wrong'}")
    if not all(found.values()):
        sys.exit(1)
