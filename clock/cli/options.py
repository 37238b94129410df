"""Options that several commands share, and the settings that they become."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from clock.config import Config, load_config
from clock.log import configure_logging

F = TypeVar("F", bound=Callable[..., Any])

config_option = click.option(
    "--config", type=click.Path(path_type=Path), help="Settings file; default: config/clock.yml."
)
file_option = click.option(  # for commands whose argument is an event
    "--file", "-f", "clock_file", type=click.Path(path_type=Path), help="Clock file; default: lib/clock.py."
)
_HEALTH = [
    click.option("--health-port", type=int, metavar="PORT", help="Serve health checks and metrics on this port."),
    click.option("--health-host", metavar="ADDRESS", help="Address of the health port; default: 127.0.0.1."),
]

_SHARED = [
    click.option("--redis", metavar="URL", help="URL of Redis; default: REDIS_URL."),
    config_option,
    click.option("--log-format", metavar="FORMAT", help="Log format: text or json."),
    click.option("--log-level", metavar="LEVEL", help="Log level: debug, info, warning or error."),
]


def shared_options(command: F) -> F:
    """Add the options that every command which speaks to Redis has."""
    return _with(_SHARED, command)


def health_options(command: F) -> F:
    """Add the options of a command that has a health port."""
    return _with(_HEALTH, command)


def _with(options: Sequence[Callable[[F], F]], command: F) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def settings(config: Path | None, **options: object) -> Config:
    """The settings that a process runs with; its log goes to stdout as they say. Raises ConfigurationError."""
    found = load_config(options, file=config)
    configure_logging(found.log_format, found.log_level)
    return found


def answering_settings(config: Path | None, **options: object) -> Config:
    """The settings of a command that answers on stdout: its log goes to stderr, from warnings up unless asked.

    Raises ConfigurationError.
    """
    found = load_config(options, file=config)
    level = found.log_level if options.get("log_level") else "warning"
    configure_logging(found.log_format, level, stream=sys.stderr)
    return found
