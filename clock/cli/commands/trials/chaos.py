"""`clock chaos`: run the application on a scratch server while its processes are killed."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from clock.cli.options import GivenPath, Number, answering, config_option
from clock.cli.output import echo, echo_json, json_option
from clock.cli.timetables import load_timetable
from clock.cli.trials.chaos import Chaos, ChaosPlan, ChaosReport
from clock.cli.trials.scratch import scratch
from clock.config import Config, load_config
from clock.job.registry import look_at_jobs
from clock.printable import counted


@click.command()
@click.argument("clock_file", required=False, type=GivenPath(), default=Path("lib/clock.py"))
@click.option("--minutes", type=Number(0.05, 600), default=5.0, show_default=True, help="Length.")
@click.option("--seed", type=int, help="Order of the disturbances; default: a random one, which is printed.")
@click.option("--verbose", is_flag=True, help="Print each disturbance.")
@config_option
@json_option
@click.pass_context
def chaos(
    ctx: click.Context,
    /,
    clock_file: Path,
    minutes: float,
    seed: int | None,
    verbose: bool,
    config: Path | None,
    as_json: bool,
) -> None:
    """Run CLOCK_FILE (default: lib/clock.py) and its jobs while processes are killed and cut off.

    It starts its own scratch server, two clocks and two workers, runs the events again and again, and checks at
    the end: no job is lost, no job fails, each due instant was decided once. Exits 1 if there is a problem.

    The jobs really run: use test settings for databases, mails and other services. Your Redis is never used.

    \b
    Example: python -m clock chaos --minutes 1 --seed 7
    """
    answering()
    settings = load_config({"clock_file": clock_file}, file=config)
    timetable = load_timetable(settings)
    look_at_jobs(*(path for path in settings.require if path.exists()))
    plan = _plan(settings, minutes * 60, secrets.randbelow(10_000) if seed is None else seed)
    log = (lambda line: echo("  ", line)) if verbose and not as_json else (lambda line: None)
    with scratch() as place:
        report = Chaos(plan, place, timetable, log).run()
    if as_json:
        echo_json(_as_json(plan, report))
    else:
        _echo(plan, report)
    ctx.exit(1 if report.check.problems else 0)


def _plan(settings: Config, seconds: float, seed: int) -> ChaosPlan:
    queues = [name for name, _ in (*settings.queues, *(q for one in settings.capsules for q in one.queues))]
    return ChaosPlan(settings.clock_file, settings.require, queues, seconds, seed)


def _echo(plan: ChaosPlan, report: ChaosReport) -> None:
    found = report.check
    echo(f"seed {plan.seed}: {plan.seconds:g} s, {plan.clocks} clocks, {plan.workers} workers")
    echo("disturbances: ", ", ".join(f"{what} {count}" for what, count in report.disturbances.items()) or "none")
    echo(f"{found.runs:,} runs, {found.jobs:,} jobs, {found.done:,} of them done")
    for problem in found.problems:
        echo("Problem: ", problem, fg="red")
    count = len(found.problems)
    words = counted(count, "problem") if count else "no problem"
    echo(f"Verdict: {words}", ". Repeat with: " if count else "", _again(plan) if count else "")


def _again(plan: ChaosPlan) -> str:
    return f"clock chaos {plan.clock_file} --minutes {plan.seconds / 60:g} --seed {plan.seed} --verbose"


def _as_json(plan: ChaosPlan, report: ChaosReport) -> dict[str, object]:
    found = report.check
    return {
        "seed": plan.seed,
        "seconds": plan.seconds,
        "disturbances": dict(report.disturbances),
        "runs": found.runs,
        "jobs": found.jobs,
        "done": found.done,
        "problems": list(found.problems),
    }
