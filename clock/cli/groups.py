"""Groups of commands: they import commands on demand, and suggest the closest name for a mistyped one."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import click

from clock import import_path
from clock.printable import closest

COMMANDS = "clock.cli.commands"  # the package that holds their modules
Listed = tuple[str, str]  # a command's module in that package, and its short help

NEEDS_POSIX = (
    "this command needs Linux, macOS or another POSIX system, such as WSL on Windows; "
    "an application on Windows can import clock and push jobs"
)
ONLY_POSIX = "Needs a POSIX system."
WITH_PROCESSES = ("run", "worker", "web", "dev", "daemon")  # these commands handle signals and fork


class CommandGroup(click.Group):
    """A group that suggests the closest name for a mistyped command, and lists its commands in their order."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse `args`; a word `help` in front or in between is `--help` of the command after it."""
        if args[:1] == ["help"] and not ctx.resilient_parsing:
            args = [*args[1:], "--help"]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command at the start of `args`. Raises UsageError."""
        if not ctx.resilient_parsing and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            known = self.list_commands(ctx)
            hint = closest(args[0], known, f"available: {', '.join(known)}")
            raise click.UsageError(f"Unknown command {args[0]!r} of {ctx.info_name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)


class LazyCommands(CommandGroup):
    """The program's commands: each module is imported when its command runs, so commands start fast.

    `sections` are title -> (command -> its module and its short help); in the module, the command is the function
    of that name, or of that name with the suffix `_command` if Python reserves the name. If the first word is not
    a command, it is a clock file: `python -m clock lib/clock.py`.
    """

    def __init__(self, *args: object, sections: Mapping[str, Mapping[str, Listed]], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own arguments, passed on
        self._sections = sections
        self._modules = {name: listed for section in sections.values() for name, listed in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module. None: unknown command."""
        if cmd_name not in self._modules:
            return None
        import_path.application_last()
        if not _is_available(cmd_name):
            return _unavailable(cmd_name)
        path, short_help = self._modules[cmd_name]
        module = importlib.import_module(f"{COMMANDS}.{path}")
        import_path.application_first()
        name = cmd_name.replace("-", "_")
        found = getattr(module, name, None) or getattr(module, f"{name}_command")
        assert isinstance(found, click.Command)  # noqa: S101  # the table is part of this package
        found.short_help = short_help
        return found

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: object
    ) -> click.Context:
        """A context without colours if NO_COLOR is set, whatever its value (no-color.org)."""
        colour = False if os.environ.get("NO_COLOR") else None
        return super().make_context(info_name, args, parent, color=colour, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse `args`; insert the default command if none is named."""
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)  # the shell requests completions
        if not args or self._are_of_the_default(args, ctx):
            args = ["run", *args]
        elif args[0] != "help" and not args[0].startswith("-") and args[0] not in self._modules:
            args = self._as_clock_file(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise click.UsageError(f"{error.format_message()} Put options after the command.", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under the titles of their sections. No command is imported."""
        width = max(map(len, self._modules))
        for title, section in self._sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [
                        (name.ljust(width), about if _is_available(name) else ONLY_POSIX)
                        for name, (_, about) in section.items()
                    ]
                )

    def _are_of_the_default(self, args: list[str], ctx: click.Context) -> bool:
        """Whether `args` are options of the default command: not this group's own, and no command follows."""
        own = {name for option in self.get_params(ctx) for name in option.opts}
        is_own = args[0] in own or get_close_matches(args[0], own, 1, cutoff=0.8)  # this group suggests it
        return args[0].startswith("-") and not is_own and self._modules.keys().isdisjoint(args)

    def _as_clock_file(self, args: list[str]) -> list[str]:
        if Path(args[0]).exists():
            return ["run", *args]
        if args[0].endswith(".py"):
            path = Path(args[0])
            near = get_close_matches(path.name, [file.name for file in path.parent.glob("*.py")], 1)
            hint = (
                f"did you mean {str(path.with_name(near[0]))!r}?" if near else "change to the application's folder"
            )
            raise click.UsageError(f"No such file {str(path)!r} in {Path.cwd()}; {hint}")
        hint = closest(args[0], self._modules, "", before="; ")
        raise click.UsageError(f"Unknown command {args[0]!r} (and no such file){hint}")


def _is_available(name: str) -> bool:
    return hasattr(os, "fork") or name not in WITH_PROCESSES


def _unavailable(name: str) -> click.Command:
    """A command that only reports its requirement."""

    def refuse() -> None:
        raise click.ClickException(NEEDS_POSIX)

    anything = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(name, callback=refuse, context_settings=anything, short_help=ONLY_POSIX)
