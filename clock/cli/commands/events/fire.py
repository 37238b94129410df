"""`clock fire` and `clock backfill`: run an event now, or for past due instants that did not run."""

from __future__ import annotations

from typing import Any

import click

from clock.cli.auditing import audit
from clock.cli.options import Number, answering_settings, file_option, settings, shared_options
from clock.cli.output import echo, echo_json, echo_table, json_option
from clock.cli.times import period_of
from clock.cli.timetables import all_events, in_its_folder
from clock.clocks import SystemClock, to_ms
from clock.printable import counted, local_time
from clock.store import Redis
from clock.store.ledger.held_pushes import jid_of
from clock.store.ledger.ledger import RedisLedger
from clock.store.server.connection import set_default
from clock.store.server.opening import connected, redis_clock
from clock.ticker.backfill_plan import BackfillPlan, plan_backfill
from clock.ticker.requested_runs import RATES, Backfill, BackfilledRun, fire_manually
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


@click.command()
@click.argument("name")
@click.option("--from", "begin", metavar="WHEN", required=True, help="Start: 2026-11-01, '2026-11-01 06:00'.")
@click.option(
    "--to", "end", metavar="WHEN", default="now", show_default=True, help="End, excluded: a time, or 12h, 7d, 4w."
)
@click.option("--dry-run", is_flag=True, help="Show the runs, and change nothing.")
@click.option("--rate", type=Number(*RATES), metavar="N", help="At most N runs per second.")
@click.option("--beyond-history", is_flag=True, help="Include runs that are older than the event's history.")
@file_option
@json_option
@shared_options
def backfill(
    name: str, begin: str, end: str, dry_run: bool, rate: float | None, as_json: bool, **options: Any
) -> None:
    """Run the event NAME for the due instants of a past period that did not run.

    Its jobs get the jids and the due instants that the schedule would have given them, and the history records
    the runs as backfilled. Due instants that ran are skipped, so the command may be stopped and repeated. Times
    without an offset are in the event's zone. The history keeps 1,000 records per event. Older due instants may
    have run, so the command skips them without --beyond-history.

    \b
    Example: python -m clock backfill nightly --from 2026-11-01 --to 2026-11-08 --dry-run
    Example: python -m clock backfill nightly --from 2026-11-01 --to 2026-11-08 --rate 2
    """
    beyond = options.pop("beyond_history")
    config = answering_settings(**options)
    redis = connected(config)
    set_default(redis)
    timetable = in_its_folder(all_events(config, redis))
    event = find_event(timetable, name)
    clock = redis_clock(redis)
    start, stop = period_of(begin, end, zone=event.zone, now=clock.now())
    plan = plan_backfill(redis, event, start, stop, now=clock.now(), beyond_history=beyond)
    if not as_json:
        period = f"{local_time(plan.start, event.zone)} to {local_time(plan.end, event.zone)}"
        echo(f"{name}: {period}, zone {event.zone}")
        if plan.note:
            echo(f"Note: {plan.note}")
    ran = [] if dry_run else _carry_out(Backfill(plan, timetable, redis, clock, rate), redis)
    if as_json:
        echo_json({"event": name, "zone": str(event.zone), **_as_json(plan, ran, dry_run=dry_run)})
    else:
        _echo(plan, ran, dry_run=dry_run)


def _carry_out(made: Backfill, redis: Redis) -> list[BackfilledRun]:
    """Run the plan. The audit log has what was done, also if it is interrupted."""
    ran: list[BackfilledRun] = []
    plan = made.plan
    try:
        for run in made.run():
            ran.append(run)
    finally:
        if ran:
            period = f"{plan.start.isoformat()} to {plan.end.isoformat()}"
            audit(redis, "backfill", f"{plan.event.name}: {period}", sum(not run.refused for run in ran))
    return ran


def _echo(plan: BackfillPlan, ran: list[BackfilledRun], *, dry_run: bool) -> None:
    event = plan.event
    parts = [f"{count} {state.value}" for state, count in plan.skipped.items()]
    skipped = f"; skipped: {', '.join(parts)}" if parts else ""
    if dry_run:
        rows = []
        for planned in plan.runs:
            jid = jid_of(event.name, to_ms(planned.at), 0) if event.enqueues else ""
            rows.append((local_time(planned.at, event.zone), planned.state.value, jid))
        if rows:
            echo_table(["due", "what", "jid"], rows)
        echo(f"{counted(len(plan.to_run), 'run')} would be made{skipped}. Nothing was changed.")
        return
    for run in ran:
        what = "refused by its condition" if run.refused else ", ".join(run.jids) or "ran, pushed no job"
        echo("  ", local_time(run.run.at, event.zone), "  ", what)
    count, jobs = sum(not run.refused for run in ran), sum(len(run.jids) for run in ran)
    echo(f"Backfilled {counted(count, 'run')}: {counted(jobs, 'job')} pushed{skipped}.")


def _as_json(plan: BackfillPlan, ran: list[BackfilledRun], *, dry_run: bool) -> dict[str, object]:
    jids = {run.run.at: run.jids for run in ran}
    refused = {run.run.at for run in ran if run.refused}
    return {
        "from": plan.start.isoformat(),
        "to": plan.end.isoformat(),
        "dry_run": dry_run,
        "note": plan.note,
        "runs": [
            {
                "due": run.at.isoformat(),
                "plan": run.state.name.lower(),
                "made": run.at in jids and run.at not in refused,
                "jids": list(jids.get(run.at, ())),
            }
            for run in plan.runs
        ],
    }
