"""`manage.py clock`, `worker` and `clock_web`: the command line of clock, with the project's settings and jobs."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser, handle_default_options

from clock.cli import main, program, starts_process
from clock.django.project import import_jobs_of_applications
from clock.errors import ClockError
from clock.store.ledger.held_pushes import dropping

RELOADED = ("run", "worker")
WATCHED = "CLOCK_WATCHED"  # environment variable of a process that is restarted after edits


class _Words(CommandParser):
    """Leaves all words to clock's own command line. Used by `call_command`."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Namespace:
        """The words as they are, with the options that `BaseCommand.execute` reads."""
        return Namespace(args=tuple(args), force_color=False, no_color=False, skip_checks=True)


class ClockCommand(BaseCommand):
    """Hands its words to clock's own command line, behind `before`."""

    requires_system_checks = ()
    before: Sequence[str] = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Run `argv`, the words of the command line. Ends the process with the exit code."""
        parser = CommandParser(add_help=False, allow_abbrev=False)
        for option in ("--settings", "--pythonpath"):
            parser.add_argument(option)
        known, words = parser.parse_known_args(argv[2:])
        handle_default_options(known)
        run([*self.before, *words], argv[0])

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """The parser for `call_command`."""
        return _Words(prog=f"{prog_name} {subcommand}", add_help=False)

    def handle(self, *words: str, **options: object) -> None:
        """Run the command from code: `call_command("clock", "status")`. Ends the process with the exit code."""
        run([*self.before, *words], sys.argv[0])


def run(words: Sequence[str], manage: str) -> None:
    """Run clock's command line with these words; child processes are started by the same `manage.py`."""
    program.restarted_by(manage, "clock")
    words = _with_reload([word for word in words if word != "--noreload"], "--noreload" in words)
    sys.argv = [manage, *words]
    if "--reload" not in words:
        try:
            with nullcontext() if starts_process(words) else dropping():
                import_jobs_of_applications()
        except ClockError as error:
            sys.exit(f"clock: {error}")
    main()


def _with_reload(words: list[str], refused: bool) -> list[str]:
    """With DEBUG the processes restart after an edit, as runserver does, unless `--noreload` was given."""
    is_process = not words or words[0] in RELOADED
    is_watched = os.environ.get(WATCHED) == "1"  # by the process that started this one
    if not settings.DEBUG or refused or is_watched or not is_process or {"--help", "-h", "--reload"} & set(words):
        return words
    os.environ[WATCHED] = "1"
    return [*(words or ["run"]), "--reload"]
