"""`clock status` and `clock list`: health and problems, and the events with their next and last runs."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from clock.cli.opening import opened
from clock.cli.options import GivenPath, Number, answering_settings, shared_options
from clock.cli.output import Styled, echo, echo_as_is, echo_json, echo_table, echo_wrapped, json_option
from clock.cli.timetables import load_timetable, timetable_if_any
from clock.clocks import from_ms
from clock.config import Config
from clock.errors import StoreUnavailable
from clock.inspection.events.event_rows import EventRow, events
from clock.inspection.events.schedules import unlisted_rows, with_stored_events
from clock.inspection.processes import WorkerView
from clock.inspection.status import Status
from clock.inspection.status import status as look
from clock.printable import counted, duration, local_time
from clock.shutdown import handling
from clock.store import Redis
from clock.store.server.opening import redis_location
from clock.store.wrong_type import WrongType
from clock.timetable import Timetable

SHOWN_EVENTS = 10
_NEVER = datetime.max.replace(tzinfo=UTC)
_CLEAR = "\x1b[H\x1b[2J"  # moves the cursor to the top and clears the screen


@click.command()
@click.argument("clock_file", required=False, type=GivenPath())
@click.option("--watch", is_flag=True, help="Refresh until Ctrl-C.")
@click.option(
    "--interval", type=Number(0.1, 86_400), default=2.0, show_default=True, help="Seconds between refreshes."
)
@json_option
@shared_options
def status(watch: bool, interval: float, as_json: bool, **options: Any) -> None:
    """Show clocks and their leader, workers, queues, retries, dead jobs, overdue events and problems.

    Exits 1 if there is a problem. Overdue events are computed from CLOCK_FILE, if it exists.

    \b
    Example: python -m clock status --watch
    """
    config = answering_settings(**options)
    redis, clock = opened(config, names_wrong_keys=False)
    timetable = timetable_if_any(config, is_named=options["clock_file"] is not None)
    show, place = _show_json if as_json else _show, redis_location(config)

    def look_again() -> Status:
        return look(redis, clock.now(), timetable and _with_stored_events(timetable, redis, config))

    if not watch:
        found = look_again()
        show(place, found)
        sys.exit(1 if found.problems else 0)
    stop = threading.Event()
    with handling(dict.fromkeys((signal.SIGINT, signal.SIGTERM), stop.set)):
        while not stop.is_set():
            if not as_json:
                echo_as_is(_CLEAR)
            try:
                show(place, look_again())
            except StoreUnavailable as error:  # wait for Redis
                echo(error, fg="red")
            clock.wait(stop, interval)


def _with_stored_events(timetable: Timetable, redis: Redis, config: Config) -> Timetable:
    """The timetable with the schedules in Redis. A key of a wrong type is a problem that `look` finds."""
    try:
        return with_stored_events(timetable, redis, config.require)
    except WrongType:
        return timetable


def _show(place: str, found: Status) -> None:
    health = Styled("unhealthy", "red", bold=True) if found.problems else Styled("healthy", "green", bold=True)
    echo(f"{found.at:%Y-%m-%d %H:%M:%S} UTC  ", health)
    for problem in found.problems:
        echo_wrapped(f"! {problem}", first="  ", indent="    ", fg="red")
    echo()
    echo_wrapped(f"Redis: {place}", indent=" " * 7)
    echo()
    _show_processes(found)
    queues = [(queue.name, queue.size, duration(queue.latency) if queue.size else "-") for queue in found.queues]
    _section(["queue", "jobs", "latency"], queues, "no queues yet")
    running = [(busy.job.job_class, busy.job.jid, str(busy.progress)) for busy in found.progress]
    _section(["running job", "jid", "progress"], running)
    sizes = found.sizes
    echo(
        f"scheduled {sizes.schedule}  retries {sizes.retry}  dead {sizes.dead}  "
        f"processed {sizes.processed}  failed {sizes.failed}"
    )
    if found.events is not None:
        _show_events(found, found.events)


def _show_processes(found: Status) -> None:
    clocks = []
    for clock in found.clocks:
        role, tick = "leader" if clock.leads else "standby", _ago(found.at, clock.last_round)
        clocks.append((role, clock.identity, clock.release, clock.events, tick))
    none = "no clock is running" if found.knows_clocks else "clocks: unknown"
    _section(["clock", "identity", "release", "events", "last tick"], clocks, none)
    shards = [
        (shard.name, shard.waiting, shard.scheduled, shard.retries, shard.dead, shard.workers)
        for shard in found.shards
        if not shard.fault
    ]
    _section(["shard", "jobs", "scheduled", "retries", "dead", "workers"], shards)
    none = "no worker is running" if found.knows_workers else "workers: unknown"
    headings = ["worker", "identity", "busy", "queues", "memory", "last heartbeat"]
    _section(headings, list(map(_worker_row, found.workers)), none)


def _worker_row(worker: WorkerView) -> tuple[str, ...]:
    state = "quiet" if worker.quiet else "running"
    busy, memory = f"{worker.busy}/{worker.concurrency}", f"{worker.rss / 1024:.0f} MB"
    beat = f"{duration(worker.beat_age)} ago"
    return "frozen" if worker.frozen else state, worker.identity, busy, ",".join(worker.queues), memory, beat


def _show_events(found: Status, shown: Sequence[EventRow]) -> None:
    views = sorted(shown, key=lambda view: view.next_due or _NEVER)
    rows = [(view.name, _due(found.at, view), _last(found.at, view)) for view in views]
    echo()
    _section(["event", "next", "last"], rows[:SHOWN_EVENTS], "no events")
    if len(rows) > SHOWN_EVENTS:
        echo(f"... and {len(rows) - SHOWN_EVENTS} more: clock list")
    _show_unlisted(found.unlisted)


def _section(headings: list[str], rows: Sequence[Sequence[object]], none: str = "") -> None:
    """A table and an empty line; nothing if there are neither rows nor `none`."""
    if rows or none:
        echo_table(headings, rows, none=none)
        echo()


def _due(now: datetime, view: EventRow) -> str:
    if view.pause:
        return "paused"
    if view.next_due is None:
        return "never"
    seconds = (view.next_due - now).total_seconds()
    return f"in {duration(seconds)}" if seconds >= 0 else f"{duration(-seconds)} overdue"


def _last(now: datetime, view: EventRow) -> str:
    due = view.last and view.last.get("due")
    if not view.last or not isinstance(due, int):
        return "-"
    failed = "job failed, " if view.has_failed_job else ""
    return f"{failed}{view.last['decision']} {_ago(now, from_ms(due))}"


def _ago(now: datetime, instant: datetime) -> str:
    return f"{duration(max(0.0, (now - instant).total_seconds()))} ago"


def _show_json(place: str, found: Status) -> None:
    overdue = [{"event": name, "due": due} for name, due in found.overdue]
    progress = [(busy.job, busy.progress) for busy in found.progress if busy.progress]
    echo_json(
        {
            "at": found.at,
            "redis": place,
            "healthy": not found.problems,
            "problems": found.problems,
            "clocks": list(map(asdict, found.clocks)),
            "workers": list(map(asdict, found.workers)),
            "queues": list(map(asdict, found.queues)),
            "progress": [{"class": job.job_class, "jid": job.jid, **step.as_json} for job, step in progress],
            "scheduled": found.sizes.schedule,
            "retries": found.sizes.retry,
            "dead": found.sizes.dead,
            "processed": found.sizes.processed,
            "failed": found.sizes.failed,
            "parked": found.parked,
            "shards": list(map(asdict, found.shards)),
            "overdue": overdue if overdue or found.events is not None else None,
        }
    )


@click.command("list")
@click.argument("clock_file", required=False, type=GivenPath())
@json_option
@shared_options
def list_command(as_json: bool, **options: Any) -> None:
    """List the events of CLOCK_FILE: schedule, action, next run, last run and its outcome.

    Schedules that were added at run time are listed, too; rows of databases are not.
    Times are in each event's own zone.

    \b
    Example: python -m clock list lib/clock.py
    """
    config = answering_settings(**options)
    timetable = load_timetable(config)
    redis, clock = opened(config)
    timetable = with_stored_events(timetable, redis, config.require)
    found, unlisted = events(redis, timetable, clock.now()), unlisted_rows(redis, timetable)
    if as_json:
        echo_json([view.as_json() for view in found])
        return
    rows = []
    for view in found:
        at = f"{view.next_due.astimezone(view.zone):%a %Y-%m-%d %H:%M:%S %Z}" if view.next_due else "never"
        rows.append((view.name, view.declaration, view.action(), at, view.pause, _last_run(view)))
    headings = ["event", "schedule", "does", "next", "pause", "last"]
    echo_table(headings, rows, none=f"{config.clock_file} declares no events.")
    _show_unlisted(unlisted)


def _show_unlisted(count: int) -> None:
    """The line about events of database rows, which no command lists."""
    if count:
        echo(f"The database has {counted(count, 'further event')}: the dashboard lists them (clock web).")


def _last_run(view: EventRow) -> str | None:
    if view.last is None:
        return None
    reason = f" ({view.last['reason']})" if "reason" in view.last else ""
    failed = ", job failed" if view.has_failed_job else ""
    return f"{local_time(from_ms(view.last['due']), view.zone)} {view.last['decision']}{reason}{failed}"
