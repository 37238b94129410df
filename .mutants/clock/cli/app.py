"""The command line: finds the command, and turns errors into one line and an exit code."""

from __future__ import annotations

import logging
import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

import click

from clock import __version__
from clock.cli.groups import LazyCommands
from clock.cli.output import echo
from clock.errors import ClockError
from clock.printable import printable
from clock.timetable import left_running

PROGRAM = Path(sys.argv[0]).name if Path(sys.argv[0]).name in ("clock", "clockd") else "python -m clock"
LONGEST_ERROR = 4_000  # characters: a value that an error quotes may be of any size
THREAD_SECONDS = 0.5  # for threads of the clock file that are ending
COMPLETION_VARIABLE = "_CLOCK_COMPLETE"  # the variable by which the shell's completion script requests words

#: Every command and its module. A module is imported when its command, or the command's help, runs.
SECTIONS = {
    "Run": {
        "run": "clock.cli.commands.running.run",
        "worker": "clock.cli.commands.running.worker",
        "dev": "clock.cli.commands.running.dev",
        "daemon": "clock.cli.commands.running.daemon",
    },
    "Monitor": {
        "status": "clock.cli.commands.monitoring.status",
        "list": "clock.cli.commands.monitoring.list_events",
        "doctor": "clock.cli.commands.monitoring.doctor",
        "web": "clock.cli.commands.monitoring.web",
    },
    "The clock": {
        "fire": "clock.cli.commands.events.fire",
        "backfill": "clock.cli.commands.events.backfill",
        "schedules": "clock.cli.commands.events.schedules",
        "pause": "clock.cli.commands.events.pause",
        "resume": "clock.cli.commands.events.pause",
        "why": "clock.cli.commands.events.why",
        "history": "clock.cli.commands.events.history",
    },
    "Jobs": {
        "queue": "clock.cli.commands.jobs.queue",
        "cancel": "clock.cli.commands.jobs.cancel",
        "unique": "clock.cli.commands.jobs.unique",
        "limits": "clock.cli.commands.jobs.limits",
        "batches": "clock.cli.commands.jobs.batches",
        "retry": "clock.cli.commands.jobs.job_sets",
        "scheduled": "clock.cli.commands.jobs.job_sets",
        "dead": "clock.cli.commands.jobs.job_sets",
    },
    "The clock file": {
        "preview": "clock.cli.commands.clock_file.preview",
        "forecast": "clock.cli.commands.clock_file.forecast",
        "diff": "clock.cli.commands.clock_file.diff",
        "check": "clock.cli.commands.clock_file.check",
        "explain": "clock.cli.commands.clock_file.explain",
        "monitors": "clock.cli.commands.clock_file.monitors",
    },
    "Trials": {
        "chaos": "clock.cli.commands.trials.chaos",
        "rehearse-stop": "clock.cli.commands.trials.rehearse_stop",
    },
    "Setup": {
        "new": "clock.cli.commands.setup.new",
        "config": "clock.cli.commands.setup.config",
        "encryption": "clock.cli.commands.setup.encryption",
        "move": "clock.cli.commands.setup.move",
        "completion": "clock.cli.commands.setup.completion",
    },
}


@click.group(
    cls=LazyCommands,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="The words used here are explained in docs/glossary.md.",
)
@click.version_option(__version__, prog_name="clock")
def cli() -> None:
    """Run and manage a clock and its workers.

    \b
    python -m clock lib/clock.py        run the clock
    python -m clock worker -r jobs      run a worker
    python -m clock dev                 run both in one terminal
    """


def main() -> NoReturn:
    """Run the command line and exit: 0 stopped as asked, 1 bad input or configuration, 2 wrong usage."""
    try:
        _run()
    except SystemExit as end:
        if _is_held_up():
            logging.shutdown()
            sys.stdout.flush()
            os._exit(end.code if isinstance(end.code, int) else 0)
        raise


def _is_held_up() -> bool:
    """Whether a thread that a clock file started still runs; Python would wait for it forever."""
    threads = [thread for thread in left_running if not thread.daemon]
    for thread in threads:
        thread.join(THREAD_SECONDS)
    return any(thread.is_alive() for thread in threads)


def _run() -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # escapes characters that the terminal's encoding lacks
    try:
        exit_code = cli.main(prog_name=PROGRAM, standalone_mode=False, complete_var=COMPLETION_VARIABLE)
    except click.ClickException as error:
        if not isinstance(error, click.exceptions.NoArgsIsHelpError):  # the help of a group without a command
            vars(error)["message"] = printable(error.message)  # it quotes the command line
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        _fail("stopped")
    except ClockError as error:
        _fail(error, error.exit_code)
    except MemoryError:
        _fail("out of memory")
    except OSError as error:  # a full disk, a folder without write permission
        _fail(error)
    sys.exit(exit_code or 0)


def _fail(why: object, exit_code: int = 1) -> NoReturn:
    text = str(why)
    echo(f"clock: {text[:LONGEST_ERROR]}", "…" if len(text) > LONGEST_ERROR else "", err=True)
    sys.exit(exit_code)
