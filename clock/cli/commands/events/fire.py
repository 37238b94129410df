"""`clock fire`: run one event now."""

from __future__ import annotations

from typing import Any

import click

from clock.cli.auditing import audit
from clock.cli.options import file_option, settings, shared_options
from clock.cli.output import echo
from clock.cli.timetables import all_events, in_its_folder
from clock.clocks import SystemClock
from clock.store.ledger.ledger import RedisLedger
from clock.store.server.connection import set_default
from clock.store.server.opening import connected
from clock.ticker import fire_manually
from clock.timetable import find_event


@click.command()
@click.argument("name")
@file_option
@shared_options
def fire(name: str, **options: Any) -> None:
    """Run the event NAME now, outside its schedule.

    NAME is an event of the file or a row of a database. The command pushes the event's job, or calls its function
    in this process. The history records the run as manual. The event's scheduled runs are not affected,
    and its condition is not checked.

    \b
    Example: python -m clock fire nightly
    """
    config = settings(**options)
    redis = connected(config)
    timetable = in_its_folder(all_events(config, redis))
    event = find_event(timetable, name)
    set_default(redis)
    run = fire_manually(timetable, event, ledger=RedisLedger(redis), clock=SystemClock())
    count = len(run.jids)
    audit(redis, "fire", f"{name}: {' '.join(run.jids)}", count)
    echo(f"Fired {name!r}: {count} {'job' if count == 1 else 'jobs'} pushed")
    if event.condition is not None:
        echo("Its condition was not checked.")
    for jid in run.jids:
        echo("  ", jid)
    for jid, holder in run.kept_out.items():
        echo("  ", f"{jid} was not pushed, as {holder} holds its lock")
