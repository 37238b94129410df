"""`clock run`: the clock."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from typing import Any

import click

from clock.cli.options import settings, shared_options
from clock.cli.parts import about_clock, identity, release, signature
from clock.clocks import SystemClock
from clock.log import log_to
from clock.shutdown import handling
from clock.store.clock_register import ClockRegister
from clock.store.connection import connect, server_time_offset, set_default
from clock.store.lease import Lease
from clock.store.ledger import RedisLedger
from clock.ticker import Leader, Pulse, Ticker
from clock.timetable import load

SKEW_SECONDS = 0.5  # a machine whose clock differs from Redis's by more is warned about
CONNECTIONS = 1  # the ticker and the leader share it: their commands are short

logger = logging.getLogger(__name__)


@click.command()
@click.argument("clock_file", required=False, type=click.Path(path_type=Path))
@shared_options
def run(**options: Any) -> None:
    """Run the clock: fire the events of CLOCK_FILE (default: lib/clock.py) at their due instants.

    Any number of clocks may run at once; one of them works, and each due instant is enqueued once.

    \b
    Example: python -m clock lib/clock.py
    """
    config = settings(**options)
    clock = SystemClock()
    timetable = load(config.clock_file)
    if timetable.settings.logger is not None:
        log_to(timetable.settings.logger)
    redis = connect(config.redis, max_connections=CONNECTIONS)
    set_default(redis)
    clock.offset = server_time_offset(redis, clock)
    if abs(clock.offset.total_seconds()) > SKEW_SECONDS:
        logger.warning(
            "This machine's clock is %+.1f s off Redis's; Redis's counts", -clock.offset.total_seconds()
        )
    own, of_file = identity(), release(timetable.path, clock)
    lease = Lease(redis, identity=own, release=of_file.name, rank=of_file.rank)
    leader = Leader(lease, identity=own, clock=clock)
    ticker = Ticker(
        timetable,
        ledger=RedisLedger(redis),
        clock=clock,
        signature=signature(of_file),
        leads=lambda: leader.leads,
    )
    pulse = Pulse(
        ClockRegister(redis),
        own,
        ticker=ticker,
        leads=lambda: leader.leads,
        about=about_clock(of_file, timetable, clock),
        clock=clock,
    )
    names = " ".join(event.name for event in timetable.events)
    logger.info("Starting clock for %d events: [ %s ]", len(timetable.events), names)
    with handling(dict.fromkeys((signal.SIGTERM, signal.SIGINT, signal.SIGHUP), ticker.stop)):
        leader.start()
        pulse.start()
        ticker.run()
        leader.stop()
        pulse.stop()
    logger.info("Stopped")
