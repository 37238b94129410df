"""`clock rehearse-stop`: what a deploy does to a running job."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from clock.cli.options import Number, answering, config_option
from clock.cli.output import echo, echo_json, json_option
from clock.cli.trials.scratch import scratch
from clock.cli.trials.stop_rehearsal import StopRehearsal
from clock.config import load_config
from clock.errors import ConfigurationError
from clock.import_path import add_application
from clock.job.registry import knows, look_at_jobs, lookup, names
from clock.printable import closest

DAY = 86_400.0  # seconds


@click.command("rehearse-stop")
@click.argument("job")
@click.argument("args", nargs=-1)
@click.option(
    "--grace", type=Number(0.1, DAY), default=30.0, show_default=True, help="Seconds from SIGTERM to SIGKILL."
)
@click.option(
    "--after",
    type=Number(0.1, DAY),
    default=2.0,
    show_default=True,
    help="Seconds from the start to SIGTERM.",
)
@config_option
@json_option
@click.pass_context
def rehearse_stop_command(
    ctx: click.Context,
    /,
    job: str,
    args: tuple[str, ...],
    grace: float,
    after: float,
    config: Path | None,
    as_json: bool,
) -> None:
    """Run the job class JOB with ARGS on a scratch server, and stop its worker as a deploy does.

    ARGS are JSON, or else text. The job really runs: use test settings for databases, mails and other services.
    Your Redis is never used. Exits 1 if the job runs again from its start, 0 if it ends in time or continues.

    \b
    Example: python -m clock rehearse-stop ImportRowsJob 42 --grace 30
    """
    answering()
    settings = load_config({}, file=config)
    add_application(settings.clock_file)
    require = [path for path in settings.require if path.exists()]
    look_at_jobs(*require)
    if not knows(job):
        hint = closest(job, names(), f" under {', '.join(map(str, settings.require))}", before="; ")
        raise ConfigurationError(f"no job class is named {job!r}{hint}")
    with scratch() as place:
        wanted: Any = lookup(job)
        jid = wanted.perform_async(*map(_value, args))
        queue = str(wanted.queue)
        report = StopRehearsal(place, require, queue, jid, after, grace, settings.stop_timeout).run()
    if as_json:
        echo_json(asdict(report))
    else:
        for step in report.steps:
            echo(f"{step.at:5.1f} s  {step.text}")
        echo(f"Verdict: {report.verdict}")
    ctx.exit(0 if report.outcome in ("finished", "continued") else 1)


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
