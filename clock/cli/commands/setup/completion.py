"""`clock completion`: shell completion of commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from clock.cli.app import COMPLETION_VARIABLE
from clock.cli.output import echo_as_is


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands and options of `clock` in SHELL.

    \b
    Example: clock completion bash >> ~/.bashrc
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  # click has these three
    echo_as_is(kind(ctx.find_root().command, {}, "clock", COMPLETION_VARIABLE).source() + "\n")
