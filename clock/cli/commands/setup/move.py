"""`clock move`: the data of a stopped application go to a namespace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from clock.cli.job_arguments import confirm, yes_option
from clock.cli.options import answering_settings, shared_options
from clock.cli.output import echo
from clock.cli.wiring import opened
from clock.errors import ClockError
from clock.inspection.moving import check_stopped, keys_to_move, move_all

SHOWN = 5  # names of keys in one line


@click.command(short_help="Move the data of a stopped application to a namespace.")
@click.option("--to-namespace", "target", required=True, metavar="NAME", help="The new namespace.")
@yes_option
@shared_options
@click.pass_context
def move(ctx: click.Context, /, target: str, yes: bool, **options: Any) -> None:
    """Move the data of a stopped application in Redis to a namespace.

    Moves queues, delayed, retried and dead jobs, counters, and the clock's state with its history. First stop
    clocks, workers and everything else that pushes jobs; then set CLOCK_NAMESPACE for all of them and start them.
    May be repeated: it joins jobs that were pushed in the meantime. Exits 1 if a key could not be moved.

    \b
    Example: python -m clock move --to-namespace shop
    """
    config = answering_settings(**options)
    target = answering_settings(options["config"], namespace=target).namespace or ""
    if target == config.namespace:
        raise ClockError(
            f"the namespace is {target} already: name it with --to-namespace only, not in the settings"
        )
    redis, _ = opened(config, names_wrong_keys=False)
    check_stopped(redis)
    redis, _ = opened(replace(config, namespace=""), names_wrong_keys=False)
    names = keys_to_move(redis, config.namespace)
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    if names:
        confirm(f"Move {len(names)} keys ({shown}) to the namespace {target}?", yes)
    moved = move_all(redis, names, source=config.namespace, target=target)
    echo(f"Moved: {moved.count}")
    for name in moved.conflicts:
        echo(f"! {name} exists in both; rename or delete one of the two", fg="red")
    if names:
        echo(f"Now set CLOCK_NAMESPACE={target} for all processes, and start them.")
    ctx.exit(1 if moved.conflicts else 0)
