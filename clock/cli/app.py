"""The command line: finds the command, and turns errors into one line and an exit code."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

import click

from clock import __version__
from clock.cli.dev import dev
from clock.cli.fire import fire
from clock.cli.run import run
from clock.cli.worker import worker
from clock.errors import ClockError

PROGRAM = "python -m clock"


class _Commands(click.Group):
    """Takes a first word that is no command for a clock file: `python -m clock lib/clock.py`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            args = ["run"]
        elif not args[0].startswith("-") and args[0] not in self.commands:
            args = self._as_clock_file(args)
        return super().parse_args(ctx, args)

    def _as_clock_file(self, args: list[str]) -> list[str]:
        if Path(args[0]).exists():
            return ["run", *args]
        near = get_close_matches(args[0], self.commands, 1)
        raise click.UsageError(
            f"{args[0]!r} is no command, and there is no clock file of that name"
            + (f"; did you mean {near[0]!r}?" if near else "")
        )


@click.group(cls=_Commands, invoke_without_command=False)
@click.version_option(__version__, prog_name="clock")
def cli() -> None:
    """Run a clock, its workers, or both.

    \b
    python -m clock lib/clock.py        run the clock
    python -m clock worker -r jobs      run a worker
    python -m clock dev                 run both, on one terminal
    """


for command in (run, worker, dev, fire):
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command line and exit: 0 stopped as asked, 1 bad input or configuration, 2 wrong usage."""
    try:
        cli.main(prog_name=PROGRAM, standalone_mode=True)
    except ClockError as error:
        click.echo(f"clock: {error}", err=True)
        sys.exit(error.exit_code)
    sys.exit(0)
