"""`clock status`: health, problems and next runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click

from clock.cli.commands.monitoring.list_events import unlisted_line
from clock.cli.opening import opened
from clock.cli.options import GivenPath, Number, answering_settings, shared_options
from clock.cli.output import Styled, echo, echo_as_is, echo_json, echo_table, echo_wrapped, json_option
from clock.cli.timetables import timetable_if_any
from clock.clocks import from_ms
from clock.config import Config
from clock.errors import StoreUnavailable
from clock.inspection import EventRow, Status, WorkerView
from clock.inspection import status as look
from clock.inspection.events.schedules import with_stored_events
from clock.printable import duration
from clock.shutdown import handling
from clock.store import Redis
from clock.store.server.opening import redis_location
from clock.store.wrong_type import WrongType
from clock.timetable import Timetable

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
@click.pass_context
def status(ctx: click.Context, /, watch: bool, interval: float, as_json: bool, **options: Any) -> None:
    """Show clocks and their leader, workers, queues, retries, dead jobs, overdue events and problems.

    Exits 1 if there is a problem. Overdue events are computed from CLOCK_FILE, if it exists.

    \b
    Example: python -m clock status --watch
    """
    config = answering_settings(**options)
    redis, clock = opened(config, names_wrong_keys=False)
    timetable = timetable_if_any(config, is_named=options["clock_file"] is not None)
    show = partial(_show_json if as_json else _show, redis_location(config))

    def look_again() -> Status:
        return look(redis, clock.now(), timetable and _with_stored_events(timetable, redis, config))

    if not watch:
        found = look_again()
        show(found)
        ctx.exit(1 if found.problems else 0)
    stop = threading.Event()
    with handling(dict.fromkeys((signal.SIGINT, signal.SIGTERM), stop.set)):
        while not stop.is_set():
            _show_again(lambda: show(look_again()), clear=not as_json)
            clock.wait(stop, interval)


def _with_stored_events(timetable: Timetable, redis: Redis, config: Config) -> Timetable:
    """The timetable with the schedules in Redis. A key of a wrong type is a problem that `look` finds."""
    try:
        return with_stored_events(timetable, redis, config.require)
    except WrongType:
        return timetable


def _show_again(show: Callable[[], None], *, clear: bool) -> None:
    """Refresh on an empty screen. If Redis is away, wait for it."""
    if clear:
        echo_as_is(_CLEAR)
    try:
        show()
    except StoreUnavailable as error:
        echo(error, fg="red")


def _show(place: str, found: Status) -> None:
    problems = found.problems
    health = Styled("unhealthy", "red", bold=True) if problems else Styled("healthy", "green", bold=True)
    echo(f"{found.at:%Y-%m-%d %H:%M:%S} UTC  ", health)
    for problem in problems:
        echo_wrapped(f"! {problem}", first="  ", indent="    ", fg="red")
    echo()
    echo_wrapped(f"Redis: {place}", indent=" " * 7)
    echo()
    _show_clocks(found)
    _show_shards(found)
    _show_workers(found)
    _show_queues(found)
    _show_progress(found)
    echo(
        f"scheduled {found.scheduled}  retries {found.retries}  dead {found.dead}  "
        f"processed {found.processed}  failed {found.failed}"
    )
    if found.events is not None:
        _show_events(found)


def _show_clocks(found: Status) -> None:
    rows = [
        (
            "leader" if clock.leads else "standby",
            clock.identity,
            clock.release,
            clock.events,
            _ago(found.at, clock.last_round),
        )
        for clock in found.clocks
    ]
    _section(
        ["clock", "identity", "release", "events", "last tick"],
        rows,
        "no clock is running" if found.knows_clocks else "clocks: unknown",
    )


def _show_shards(found: Status) -> None:
    rows = [
        (shard.name, shard.waiting, shard.scheduled, shard.retries, shard.dead, shard.workers)
        for shard in found.shards
        if not shard.fault
    ]
    if rows:
        _section(["shard", "jobs", "scheduled", "retries", "dead", "workers"], rows, "")


def _show_workers(found: Status) -> None:
    rows = [
        (
            _doing(worker),
            worker.identity,
            f"{worker.busy}/{worker.concurrency}",
            ",".join(worker.queues),
            f"{worker.rss / 1024:.0f} MB",
            f"{duration(worker.beat_age)} ago",
        )
        for worker in found.workers
    ]
    none = "no worker is running" if found.knows_workers else "workers: unknown"
    _section(["worker", "identity", "busy", "queues", "memory", "last heartbeat"], rows, none)


def _doing(worker: WorkerView) -> str:
    if worker.frozen:
        return "frozen"
    return "quiet" if worker.quiet else "running"


def _show_queues(found: Status) -> None:
    rows = [(queue.name, queue.size, duration(queue.latency) if queue.size else "-") for queue in found.queues]
    _section(["queue", "jobs", "latency"], rows, "no queues yet")


def _show_progress(found: Status) -> None:
    rows = [(busy.job.job_class, busy.job.jid, str(busy.progress)) for busy in found.progress]
    if rows:
        _section(["running job", "jid", "progress"], rows, "")


def _show_events(found: Status) -> None:
    views = sorted(found.events or (), key=lambda view: view.next_due or _NEVER)
    rows = [(view.name, _due(found.at, view), _last(found.at, view)) for view in views]
    echo()
    _section(["event", "next", "last"], rows[:10], "no events")
    if len(rows) > 10:
        echo(f"... and {len(rows) - 10} more: clock list")
    if found.unlisted:
        echo(unlisted_line(found.unlisted))


def _section(headings: list[str], rows: Sequence[Sequence[object]], none: str) -> None:
    if rows:
        echo_table(headings, rows)
    else:
        echo(none)
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
    overdue = [{"event": name, "due": due.isoformat()} for name, due in found.overdue]
    answer: Mapping[str, object] = {
        "at": found.at.isoformat(),
        "redis": place,
        "healthy": not found.problems,
        "problems": found.problems,
        "clocks": [asdict(clock) for clock in found.clocks],
        "workers": [asdict(worker) for worker in found.workers],
        "queues": [asdict(queue) for queue in found.queues],
        "progress": [
            {"class": busy.job.job_class, "jid": busy.job.jid, **busy.progress.as_json}
            for busy in found.progress
            if busy.progress
        ],
        "scheduled": found.scheduled,
        "retries": found.retries,
        "dead": found.dead,
        "processed": found.processed,
        "failed": found.failed,
        "parked": found.parked,
        "shards": [asdict(shard) for shard in found.shards],
        "overdue": overdue if overdue or found.events is not None else None,
    }
    echo_json(answer)
