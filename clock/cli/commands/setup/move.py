"""`clock move`: the data of a stopped application go to a namespace, or the jobs of old shards to those in use."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from clock.cli.opening import opened
from clock.cli.options import answering_settings, confirm, shared_options, yes_option
from clock.cli.output import echo
from clock.config import Config
from clock.errors import ClockError
from clock.inspection.moving import check_stopped, empty_shard
from clock.inspection.shards import left_shards
from clock.printable import shortened_list
from clock.store import Redis
from clock.store.jobs.shard_claims import forget_shard
from clock.store.moving import move_key, own_keys

SHOWN = 5  # names of keys in one line


@click.command()
@click.option("--to-namespace", "target", metavar="NAME", help="The new namespace.")
@click.option("--from-shards", is_flag=True, help="Move the jobs of shards that are not in use any more.")
@click.option("--forget", is_flag=True, help="Forget old shards on servers that are not in use any more.")
@yes_option
@shared_options
def move(target: str | None, from_shards: bool, forget: bool, yes: bool, **options: Any) -> None:
    """Move the data of a stopped application to a namespace, or the jobs of old shards to those in use.

    --to-namespace moves queues, delayed, retried and dead jobs, counters, and the clock's state with its history.
    First stop clocks, workers and everything else that pushes jobs; then set CLOCK_NAMESPACE for all of them and
    start them. May be repeated: it joins jobs that were pushed in the meantime. Exits 1 if a key could not be
    moved.

    --from-shards moves the jobs of the shards that are not in use any more, after their number was lowered.
    Clocks, and the workers of the shards in use, may run.

    \b
    Example: python -m clock move --to-namespace shop
    """
    if bool(target) == from_shards or (forget and not from_shards):
        raise click.UsageError("use --to-namespace NAME, or --from-shards with or without --forget")
    config = answering_settings(**options)
    if from_shards:
        _from_shards(opened(config)[0], forget=forget, yes=yes)
    else:
        _to_namespace(config, target or "", yes, options["config"])


def _from_shards(redis: Redis, *, forget: bool, yes: bool) -> None:
    found = left_shards(redis)
    full = [left for left in found if left.jobs]
    if full:
        named = ", ".join(f"{left.name} ({left.jobs})" for left in full)
        confirm(f"Move the jobs of {named} to the shards in use?", yes)
    echo(f"Moved: {sum(sum(empty_shard(redis, left)) for left in full)}")
    for left in found:
        if left.redis is None and forget:
            forget_shard(redis, left.name)
            echo(f"Forgotten: {left.name}")
        elif left.redis is None:
            echo(f"! {left.name} is not in use any more: its jobs stay there", fg="red")


def _to_namespace(config: Config, target: str, yes: bool, file: Path | None) -> None:
    if config.shards > 1 or config.redis_urls:
        raise ClockError(
            "the application has shards: set shards to 1, run clock move --from-shards, and try again"
        )
    target = answering_settings(file, namespace=target).namespace or ""
    if target == config.namespace:
        raise ClockError(
            f"the namespace is {target} already: name it with --to-namespace only, not in the settings"
        )
    redis, _ = opened(config, names_wrong_keys=False)
    check_stopped(redis)
    redis, _ = opened(replace(config, namespace=""), names_wrong_keys=False)
    names = sorted(own_keys(redis, config.namespace))
    shown = shortened_list(names, SHOWN)
    if names:
        confirm(f"Move {len(names)} keys ({shown}) to the namespace {target}?", yes)
    conflicts = [name for name in names if not move_key(redis, name, source=config.namespace, target=target)]
    echo(f"Moved: {len(names) - len(conflicts)}")
    for name in conflicts:
        echo(f"! {name} exists in both; rename or delete one of the two", fg="red")
    if names:
        echo(f"Now set CLOCK_NAMESPACE={target} for all processes, and start them.")
    if conflicts:
        sys.exit(1)
