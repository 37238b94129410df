"""`clock pause` and `clock resume`: pause and resume an event or the whole clock."""

from __future__ import annotations

from functools import partial

import click

from clock.cli.auditing import audit
from clock.cli.opening import Opened, with_redis
from clock.cli.options import file_option
from clock.cli.output import echo
from clock.cli.times import later
from clock.cli.timetables import all_events
from clock.inspection.audit import user_of_process
from clock.inspection.events.repairs import ALL_EVENTS, event_to_pause, event_to_resume, pause_event, resume_event
from clock.printable import local_time
from clock.timetable import find_event


def _refuse_reason(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise click.UsageError("No such option: --reason. The reason is --note.", ctx)


@click.command()
@click.argument("name", required=False)
@click.option("--all", "whole", is_flag=True, help="All events.")
@click.option(
    "--until", metavar="WHEN", help="End of the pause: 2026-12-01 08:00, tomorrow, or a duration: 2h, 30m."
)
@click.option("--note", metavar="TEXT", help="Reason; shown by status, history and why.")
@click.option("--reason", hidden=True, expose_value=False, callback=_refuse_reason)  # the dashboard's name for it
@click.option("--by", metavar="WHO", help="Name of the person who pauses; default: the current user.")
@file_option
@with_redis
def pause(
    opened: Opened, name: str | None, whole: bool, until: str | None, note: str | None, by: str | None
) -> None:
    """Pause the event NAME, or with --all the whole clock.

    Runs that are due during the pause are recorded as paused and never caught up. Without --until, the pause lasts
    until `resume`.

    \b
    Example: python -m clock pause nightly --until 2h --note "the mail server moves"
    """
    named = _named(name, whole=whole)
    redis, now = opened.redis, opened.clock.now()
    timetable = all_events(opened.config, redis)
    event = event_to_pause(redis, named, partial(find_event, timetable))
    zone = timetable.event(event).zone if event in timetable.by_name else timetable.settings.tz
    end = None if until is None else later("--until", until, now, zone)
    made = pause_event(redis, event, now, until=end, by=by or user_of_process(), note=note)
    audit(redis, *(("pause_all", "all events") if event == ALL_EVENTS else ("pause", event)))
    lasts = f"until {local_time(made.until, zone)}" if made.until else "until it is resumed"
    echo(f"Paused {_subject(event)} from {local_time(made.start, zone)} {lasts}")


@click.command()
@click.argument("name", required=False)
@click.option("--all", "whole", is_flag=True, help="All events.")
@file_option
@with_redis
def resume(opened: Opened, name: str | None, whole: bool) -> None:
    """Resume the event NAME, or with --all the whole clock.

    \b
    Example: python -m clock resume nightly
    """
    named = _named(name, whole=whole)
    redis = opened.redis
    event = event_to_resume(redis, named, lambda name: find_event(all_events(opened.config, redis), name))
    ended = resume_event(redis, event, opened.clock.now())
    if ended:
        audit(redis, *(("resume_all", "all events") if event == ALL_EVENTS else ("resume", event)))
    echo(f"Resumed {_subject(event)}" if ended else f"{_subject(event)} was not paused")


def _named(name: str | None, *, whole: bool) -> str | None:
    if whole == (name is not None):
        raise click.UsageError("give an event name or --all")
    return name


def _subject(event: str) -> str:
    return "the whole clock" if event == ALL_EVENTS else repr(event)
