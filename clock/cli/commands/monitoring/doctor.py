"""`clock doctor`: problems that could lose or stop jobs, with fixes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any

import click

from clock.cli.auditing import audit
from clock.cli.opening import opened
from clock.cli.options import answering_settings, confirm, shared_options, yes_option
from clock.cli.output import Styled, echo, echo_json, echo_wrapped, json_option
from clock.inspection.doctor.deep import (
    children_finding,
    correct_children,
    free_lost_holders,
    free_lost_locks,
    limits_finding,
    locks_finding,
)
from clock.inspection.doctor.doctor import Circumstances, adopt_jobs, examine, forget_events
from clock.inspection.doctor.finding import Grade
from clock.store import Redis

_COLOURS = {Grade.GOOD: "green", Grade.WARNING: "yellow", Grade.BAD: "red"}


@click.command()
@click.option(
    "--repair", is_flag=True, help="Requeue the jobs of dead workers and delete the state of removed events."
)
@click.option(
    "--deep", is_flag=True, help="Also check locks of unique jobs and batches against their jobs. Reads all jobs."
)
@yes_option
@json_option
@shared_options
def doctor(repair: bool, deep: bool, yes: bool, as_json: bool, **options: Any) -> None:
    """Check Redis, the connection to it and the data in it for problems, and suggest fixes.

    Checks the version, eviction, persistence, memory, TLS, clock skew, connections, permissions, jobs left
    behind by dead workers, and stored state of removed events. Exits 1 if something must be fixed.

    \b
    Example: python -m clock doctor
    """
    config = answering_settings(**options)
    redis, clock = opened(config, names_wrong_keys=False)
    if repair:
        confirm("Requeue the jobs of unregistered workers and delete the state of removed events?", yes)
        _repair(redis, clock.now(), deep=deep)
    now = clock.now()
    url = config.redis or os.environ.get("REDIS_URL") or "unix://"
    found = examine(redis, Circumstances(url, clock.offset, (config.concurrency + 2) * config.processes))
    if deep:
        found = [*found, *(check(redis, now) for check in (locks_finding, limits_finding, children_finding))]
    if as_json:
        echo_json([asdict(finding) for finding in found])
    else:
        for finding in found:
            grade = Styled(f"{finding.grade:8}", fg=_COLOURS[finding.grade], bold=True)
            echo_wrapped(f"{finding.subject}: {finding.found}", first=grade, indent=" " * 8)
            if finding.advice:
                echo_wrapped(f"-> {finding.advice}", first=" " * 8, indent=" " * 11)
    if any(finding.grade is Grade.BAD for finding in found):
        sys.exit(1)


def _repair(redis: Redis, now: datetime, *, deep: bool) -> None:
    """Repair, and show each repair. The audit log has those that were made before an error, too."""
    repairs: dict[str, Callable[[], int]] = {
        "Dead workers whose jobs are requeued": partial(adopt_jobs, redis),
        "Removed events deleted": partial(forget_events, redis),
    }
    if deep:
        repairs |= {
            "Locks without a job freed": partial(free_lost_locks, redis, now),
            "Places of limits without a job freed": partial(free_lost_holders, redis, now),
            "Jobs of batches corrected": partial(correct_children, redis, now),
        }
    repaired = 0
    try:
        for words, repair in repairs.items():
            count = repair()
            repaired += count
            echo(f"{words}: {count}")
    finally:
        if repaired:
            audit(redis, "repair", "clock doctor", repaired)
