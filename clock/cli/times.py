"""Times in options: instants, and periods from one instant to another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

import click

from clock.cli.options import Command
from clock.errors import ConfigurationError
from clock.timetable.periods import ACCEPTED_TIME, YEARS, typed_instant


def period_options(end: str) -> Callable[[Command], Command]:
    """The options of a period, `--from` and `--to`; `end` is the default of its end. See `period_of`."""
    start = click.option("--from", "begin", metavar="WHEN", help="Start: a date or time; default: now.")
    about = "End: a date, a time or a length: 12h, 7d, 4w."
    stop = click.option("--to", "end", metavar="WHEN", default=end, show_default=True, help=about)
    return lambda command: start(stop(command))


def later(option: str, text: str, now: datetime, zone: tzinfo) -> datetime:
    """The future instant of an option's text, in UTC. Raises ConfigurationError."""
    instant = _instant(option, text, now.astimezone(zone), ahead=True)
    if instant <= now:
        raise ConfigurationError(f"{option} {text!r} is in the past")
    return instant.astimezone(UTC)


def period_of(begin: str | None, end: str, *, zone: tzinfo, now: datetime) -> tuple[datetime, datetime]:
    """Start and end, both aware, of the texts of --from (None: now) and --to, whose lengths count from the start.

    Raises ConfigurationError.
    """
    here = now.replace(microsecond=0).astimezone(zone)
    start = here if begin is None else _instant("--from", begin, here)
    stop = _instant("--to", end, here, ahead=True, start=start)
    if not (YEARS[0] <= start.year and stop.year <= YEARS[1]):
        raise ConfigurationError(f"the period must be in the years {YEARS[0]} to {YEARS[1]}")
    if stop <= start:
        raise ConfigurationError(f"--to {end} is not after --from {start.isoformat()}")
    return start, stop


def _instant(
    option: str, text: str, here: datetime, *, ahead: bool = False, start: datetime | None = None
) -> datetime:
    try:
        found = typed_instant(text, here, ahead=ahead, start=start)
        found.astimezone(UTC)
    except ValueError:
        raise ConfigurationError(f"{option} is {text!r}; use {ACCEPTED_TIME}") from None
    except OverflowError:
        raise ConfigurationError(f"{option} {text!r} is outside the years 1 to 9999") from None
    return found
