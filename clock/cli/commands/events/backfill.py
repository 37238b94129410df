"""`clock backfill`: run what an event did not run in a past period."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from clock.cli.auditing import audit
from clock.cli.options import Number, answering_settings, file_option, shared_options
from clock.cli.output import echo, echo_json, echo_table, json_option
from clock.cli.times import period_of
from clock.cli.timetables import all_events, in_its_folder
from clock.clocks import to_ms
from clock.config import Config
from clock.printable import counted, local_time
from clock.store import Redis
from clock.store.ledger.held_pushes import jid_of
from clock.store.server.connection import set_default
from clock.store.server.opening import connected, redis_clock
from clock.ticker import RATES, Backfill, BackfilledRun, BackfillPlan, PlannedRun, plan_backfill
from clock.timetable import find_event


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
    made = _prepared(config, redis, name, span=(begin, end), beyond=beyond, rate=rate)
    if not as_json:
        _echo_period(made.plan)
    ran = [] if dry_run else _carry_out(made, redis)
    if as_json:
        echo_json(_as_json(made.plan, ran, dry_run=dry_run))
    elif dry_run:
        _echo_plan(made.plan)
    else:
        _echo_result(made.plan, ran)


def _prepared(
    config: Config, redis: Redis, name: str, *, span: tuple[str, str], beyond: bool, rate: float | None
) -> Backfill:
    timetable = in_its_folder(all_events(config, redis))
    event = find_event(timetable, name)
    clock = redis_clock(redis)
    start, end = period_of(*span, zone=event.zone, now=clock.now())
    plan = plan_backfill(redis, event, start, end, now=clock.now(), beyond_history=beyond)
    return Backfill(plan, timetable, redis, clock, rate)


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


def _echo_period(plan: BackfillPlan) -> None:
    echo(f"{plan.event.name}: {_shown(plan, plan.start)} to {_shown(plan, plan.end)}, zone {plan.event.zone}")
    if plan.note:
        echo(f"Note: {plan.note}")


def _echo_plan(plan: BackfillPlan) -> None:
    if plan.runs:
        echo_table(["due", "what", "jid"], [_row(plan, run) for run in plan.runs])
    echo(f"{counted(len(plan.to_run), 'run')} would be made{_skipped(plan)}. Nothing was changed.")


def _row(plan: BackfillPlan, run: PlannedRun) -> tuple[str, str, str]:
    jid = jid_of(plan.event.name, to_ms(run.at), 0) if plan.event.enqueues else ""
    return _shown(plan, run.at), run.state.value, jid


def _echo_result(plan: BackfillPlan, ran: list[BackfilledRun]) -> None:
    for run in ran:
        what = "refused by its condition" if run.refused else ", ".join(run.jids) or "ran, pushed no job"
        echo("  ", _shown(plan, run.run.at), "  ", what)
    count, jobs = sum(not run.refused for run in ran), sum(len(run.jids) for run in ran)
    echo(f"Backfilled {counted(count, 'run')}: {counted(jobs, 'job')} pushed{_skipped(plan)}.")


def _skipped(plan: BackfillPlan) -> str:
    parts = [f"{count} {state.value}" for state, count in plan.skipped.items()]
    return f"; skipped: {', '.join(parts)}" if parts else ""


def _as_json(plan: BackfillPlan, ran: list[BackfilledRun], *, dry_run: bool) -> dict[str, object]:
    jids = {run.run.at: run.jids for run in ran}
    refused = {run.run.at for run in ran if run.refused}
    return {
        "event": plan.event.name,
        "zone": str(plan.event.zone),
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


def _shown(plan: BackfillPlan, at: datetime) -> str:
    return local_time(at, plan.event.zone)
