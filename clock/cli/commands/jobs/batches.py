"""`clock batches`: batches, their progress and their failures."""

from __future__ import annotations

import sys

import click

from clock.api import Batches, BatchRef
from clock.cli.auditing import audit
from clock.cli.opening import Opened, with_redis
from clock.cli.options import limit_option
from clock.cli.output import echo, echo_json, echo_table, json_option, utc
from clock.inspection.jobs.batches import BatchView, batch_json
from clock.store import Redis


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
    redis = opened.redis
    if bid is None:
        if seal:
            raise click.UsageError("--seal needs the id of a batch: clock batches BID --seal")
        _show_all(redis, limit, as_json)
        return
    ref = BatchRef(bid, redis=redis)
    if seal and ref.seal():
        audit(redis, "seal_batch", bid)
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
    rows = [
        (
            view.bid,
            _state(view),
            view.total,
            view.done,
            view.pending,
            view.failed,
            utc(view.created_at),
            view.description,
        )
        for view in found[:limit]
    ]
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
