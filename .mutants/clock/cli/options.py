"""Options that several commands share, and the settings that they become."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, TypeVar

import click

from clock.cli.output import keep_answer_apart
from clock.config import BY_NAME, DEFAULT_FILES, Config, load_config
from clock.errors import ConfigurationError
from clock.log import configure_logging
from clock.timetable.periods import parse_period

F = TypeVar("F", bound=Callable[..., Any])


def setting_option(name: str, *flags: str, shows_default: bool = True) -> Callable[[F], F]:
    """The option of a setting, from the table of settings; `flags` replaces the table's flags."""
    setting = BY_NAME[name]
    is_repeated = isinstance(setting.default, tuple)
    about = setting.about[0].upper() + setting.about[1:] + ("; repeatable" if is_repeated else "")
    if shows_default and setting.default is not None:
        about += f"; default: {setting.shown_default}"
    return click.option(
        *(flags or setting.flags),
        name,
        type=click.Path(path_type=Path) if setting.kind.option is Path else setting.kind.option,
        multiple=is_repeated,
        metavar=setting.kind.metavar,
        help=f"{about}.",
    )


config_option = click.option(
    "--config", type=click.Path(path_type=Path), help=f"Settings file; default: {DEFAULT_FILES[0]}."
)
file_option = setting_option("clock_file", "--file", "-f")  # for commands whose argument is an event

_HEALTH = [setting_option("health_port"), setting_option("health_host")]
_SHARED = [
    setting_option("redis"),
    setting_option("namespace"),
    config_option,
    setting_option("log_format"),
    setting_option("log_level", shows_default=False),  # commands that print an answer have another default
]


def shared_options(command: F) -> F:
    """Add the options of all commands that use Redis."""
    return _with(_SHARED, command)


def health_options(command: F) -> F:
    """Add the options of a command that has a health port."""
    return _with(_HEALTH, command)


def _with(options: Sequence[Callable[[F], F]], command: F) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def settings(config: Path | None, **options: object) -> Config:
    """The settings of a process, whose log goes to stdout. Raises ConfigurationError."""
    found = load_config(options, file=config)
    configure_logging(found.log_format, found.log_level)
    return found


def answering_settings(config: Path | None, **options: object) -> Config:
    """The settings of a command that answers on stdout: its log goes to stderr, from warnings up by default.

    Raises ConfigurationError.
    """
    found = load_config(options, file=config)
    answering(found.log_format, found.log_level if options.get("log_level") else "warning")
    return found


def answering(log_format: str = "text", log_level: str = "warning") -> None:
    """Keep stdout for the command's answer: its log, and output of the user's code, go to stderr."""
    configure_logging(log_format, log_level, stream=sys.stderr)
    keep_answer_apart()


_LENGTH = re.compile(r"(\d+)\s*(m|h|d|w)")
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def dated(text: str, now: datetime, *, ahead: bool = False) -> str:
    """The text with the name of a day at its start replaced by the date, seen from `now`. `now` is the minute.

    A weekday is the latest one, including today; `ahead`: the next one after today.

    >>> now = datetime(2026, 11, 28, 18, 30)  # a Saturday
    >>> dated("yesterday 06:00", now), dated("monday", now), dated("Mon 08:00", now, ahead=True), dated("now", now)
    ('2026-11-27 06:00', '2026-11-23', '2026-11-30 08:00', '2026-11-28 18:30')
    """
    word, space, time = text.strip().partition(" ")
    day = word.lower()
    if day == "now" and not space:
        return f"{now:%Y-%m-%d %H:%M}"
    found = [number for number, name in enumerate(_WEEKDAYS) if day in (name, name[:3])]
    if day in _DAYS:
        days = _DAYS[day]
    elif found:
        days = (found[0] - now.weekday() - 1) % 7 + 1 if ahead else -((now.weekday() - found[0]) % 7)
    else:
        return text
    return f"{now + timedelta(days=days):%Y-%m-%d}{space}{time}"


def later(option: str, text: str, now: datetime, zone: tzinfo) -> datetime:
    """A future instant, in UTC: a duration from now, a day's name with a time, or a date.

    Raises ConfigurationError.

    >>> from datetime import UTC
    >>> str(later("--until", "2h", datetime(2026, 12, 1, 8, tzinfo=UTC), UTC))
    '2026-12-01 10:00:00+00:00'
    """
    try:
        return now + timedelta(seconds=parse_period(text).total_seconds())
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(dated(text, now.astimezone(zone), ahead=True))
    except ValueError:
        raise ConfigurationError(
            f"{option} {text!r}: not a time; use '2026-12-01 08:00', 'tomorrow 08:00', or a duration: 2h, 30m"
        ) from None
    instant = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=zone).astimezone(UTC)
    if instant <= now:
        raise ConfigurationError(f"{option} {text!r} is in the past")
    return instant


def span_of(begin: str | None, end: str, *, zone: tzinfo, now: datetime) -> tuple[datetime, datetime]:
    """Start and end, both aware. `begin` is a date or time (None: now), `end` a date, a time or a length (7d).

    Raises ConfigurationError.

    >>> from datetime import UTC
    >>> [str(at) for at in span_of("2026-12-24", "12h", zone=UTC, now=datetime(2026, 1, 1, tzinfo=UTC))]
    ['2026-12-24 00:00:00+00:00', '2026-12-24 12:00:00+00:00']
    """
    here = now.replace(microsecond=0).astimezone(zone)
    start = here if begin is None else _instant("--from", dated(begin, here), zone)
    length = _LENGTH.fullmatch(end)
    try:
        stop = _later(start, length) if length else _instant("--to", dated(end, here, ahead=True), zone)
    except OverflowError:
        raise ConfigurationError(f"--to {end}: that is after the year 9999") from None
    if stop <= start:
        raise ConfigurationError(f"--to {end} is not after --from {start.isoformat()}")
    return start, stop


def _later(start: datetime, length: re.Match[str]) -> datetime:
    """The instant after this length: days and weeks by the calendar of the zone."""
    number, unit = int(length[1]), _UNITS[length[2]]
    if unit in ("days", "weeks"):
        return start + timedelta(**{unit: number})
    return datetime.fromtimestamp(start.timestamp() + timedelta(**{unit: number}).total_seconds(), start.tzinfo)


def _instant(option: str, text: str, zone: tzinfo) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{option} is {text!r}; use 2026-12-24, '2026-12-24 06:00', with or without an offset such as +01:00"
            + (", and lengths such as 12h, 7d or 4w" if option == "--to" else "")
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=zone)
