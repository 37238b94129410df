"""Options that several commands share, and the settings that they become."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import Any

import click

from clock.cli.output import echo, keep_answer_apart
from clock.config import BY_NAME, DEFAULT_FILES, SETTINGS, Config, load_config
from clock.errors import ClockError
from clock.log import configure_logging
from clock.printable import printable

Command = Callable[..., Any]

MOST = 1_000_000_000  # Redis and Python can count so many


class Number(click.FloatRange):
    """A number in a range; click would call it a "float range" in its message, and would take "nan"."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number. Raises click's BadParameter."""
        with suppress(ValueError):
            if isfinite(float(value)):
                return float(super().convert(value, param, ctx))
        self.fail(f"{value!r} is not a valid number.", param, ctx)


class GivenPath(click.Path):
    """A path that is not empty: an empty one, of an unset shell variable, would be the current folder."""

    def __init__(self, *, dir_okay: bool = True) -> None:
        super().__init__(path_type=Path, dir_okay=dir_okay)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Raises click's BadParameter."""
        if value == "":
            self.fail("the path is empty.", param, ctx)
        return super().convert(value, param, ctx)


def limit_option(default: int = 50) -> Callable[[Command], Command]:
    """The option of commands that show a list."""
    return click.option(
        "--limit",
        "-n",
        type=click.IntRange(1, MOST),
        default=default,
        show_default=True,
        help="Show at most this many.",
    )


def setting_option(name: str, *flags: str, shows_default: bool = True) -> Callable[[Command], Command]:
    """The option of a setting, from the table of settings; `flags` replaces the table's flags."""
    setting = BY_NAME[name]
    is_repeated = isinstance(setting.default, tuple)
    about = setting.about[0].upper() + setting.about[1:] + ("; repeatable" if is_repeated else "")
    if shows_default and setting.default is not None:
        about += f"; default: {setting.shown_default}"
    return click.option(
        *(flags or setting.flags),
        name,
        type=GivenPath() if setting.kind.option is Path else setting.kind.option,
        multiple=is_repeated,
        metavar=setting.kind.metavar,
        help=f"{about}.",
    )


config_option = click.option("--config", type=GivenPath(), help=f"Settings file; default: {DEFAULT_FILES[0]}.")
file_option = setting_option("clock_file", "--file", "-f")  # for commands whose argument is an event
yes_option = click.option("--yes", is_flag=True, help="Don't ask for confirmation.")  # for `confirm`


def _all(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """One decorator for several options."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


worker_options = _all(*(setting_option(setting.name) for setting in SETTINGS if setting.is_of_worker))
health_options = _all(setting_option("health_port"), setting_option("health_host"))
shared_options = _all(  # of all commands that use Redis
    setting_option("redis"),
    setting_option("namespace"),
    config_option,
    setting_option("log_format"),
    setting_option("log_level", shows_default=False),  # commands that print an answer have another default
)


def settings(config: Path | None, **options: object) -> Config:
    """The settings of a process, whose log goes to stdout. Raises ConfigurationError."""
    found = load_config(options, file=config)
    configure_logging(found.log_format, found.log_level)
    return found


def answering_settings(config: Path | None, **options: object) -> Config:
    """The settings of a command that answers on stdout: its log goes to stderr, from warnings up by default."""
    found = load_config(options, file=config)
    answering(found.log_format, found.log_level if options.get("log_level") else "warning")
    return found


def answering(log_format: str = "text", log_level: str = "warning") -> None:
    """Keep stdout for the command's answer: its log, and output of the user's code, go to stderr."""
    configure_logging(log_format, log_level, stream=sys.stderr)
    keep_answer_apart()


def confirm(question: str, yes: bool) -> None:
    """Ask for confirmation, unless `yes`; a no ends the command. Raises ClockError without an answer."""
    if yes:
        return
    try:
        agreed = click.confirm(printable(question))
    except click.Abort:  # Ctrl-C, or an input that has ended
        echo()
        if sys.stdin.isatty():
            raise
        raise ClockError("no answer, nothing changed. Use --yes to skip this question") from None
    if not agreed:
        raise click.Abort
