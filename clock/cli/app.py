"""The command line: finds the command, and turns errors into one line and an exit code."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

import click

from clock import __version__
from clock.cli.groups import LazyCommands, Listed
from clock.cli.output import echo
from clock.errors import ClockError
from clock.printable import printable
from clock.shutdown import left_running

PROGRAM = Path(sys.argv[0]).name if Path(sys.argv[0]).name in ("clock", "clockd") else "python -m clock"
LONGEST_ERROR = 4_000  # characters: a value that an error quotes may be of any size
LONGEST_TEXT = 200  # characters of a text that is not valid UTF-8
THREAD_SECONDS = 0.5  # for threads of the clock file that are ending
COMPLETION_VARIABLE = "_CLOCK_COMPLETE"  # the variable by which the shell's completion script requests words

#: Every command: its module, imported when the command or its help runs, and its line in `clock --help`.
SECTIONS: dict[str, dict[str, Listed]] = {
    "Run": {
        "run": ("running.run", "Run the clock."),
        "worker": ("running.worker", "Run jobs."),
        "dev": ("running.dev", "Run the clock and a worker together until Ctrl-C."),
        "daemon": ("running.daemon", "Run the clock in the background."),
    },
    "Monitor": {
        "status": ("monitoring.status", "Show health, clocks, workers, queues and next runs."),
        "list": ("monitoring.status", "List events with their next and last run."),
        "doctor": ("monitoring.doctor", "Check Redis for problems and suggest fixes."),
        "web": ("monitoring.web", "Serve the dashboard."),
        "mark-deploy": ("monitoring.mark_deploy", "Mark a deploy on the dashboard's charts."),
    },
    "The clock": {
        "fire": ("events.fire", "Run the event NAME now, outside its schedule."),
        "backfill": ("events.fire", "Run an event for past due instants that did not run."),
        "schedules": ("events.schedules", "Add, change and delete events at run time, without a deploy."),
        "pause": ("events.pause", "Pause the event NAME, or with --all the whole clock."),
        "resume": ("events.pause", "Resume the event NAME, or with --all the whole clock."),
        "why": ("events.history", "Explain why an event did or didn't run at a given time."),
        "history": ("events.history", "Show the recent runs of an event, or of all events."),
    },
    "Jobs": {
        "queue": ("jobs.waiting", "List, show and delete queued jobs."),
        "cancel": ("jobs.cancel", "Cancel jobs: delete those that wait, ask running ones to end."),
        "unique": ("jobs.flow", "List the locks of unique jobs, or free one."),
        "limits": ("jobs.flow", "List the concurrency limits, or set the maximum of one."),
        "batches": ("jobs.flow", "List batches, or show one with its failures."),
        "retry": ("jobs.waiting", "List, run, delete and kill jobs that wait for a retry."),
        "scheduled": ("jobs.waiting", "List, run, delete and kill jobs that are scheduled for later."),
        "dead": ("jobs.waiting", "List, run and delete jobs that failed for good."),
    },
    "The clock file": {
        "preview": ("clock_file.preview", "Show when each event will run."),
        "forecast": ("clock_file.forecast", "Show which jobs will start late, and how to spread them."),
        "diff": ("clock_file.diff", "Compare the runs of two versions of a clock file."),
        "check": ("clock_file.check", "Check the clock file for errors and likely mistakes."),
        "explain": ("clock_file.explain", "Describe each event in plain English."),
        "monitors": ("clock_file.monitors", "Create monitors of events at healthchecks, Cronitor, Sentry."),
    },
    "Trials": {
        "chaos": ("trials.chaos", "Kill processes on a scratch server, and look for lost jobs."),
        "rehearse-stop": ("trials.rehearse_stop", "Show what a deploy does to a running job."),
    },
    "Setup": {
        "new": ("setup.new", "Generate a job or clock file and its test."),
        "config": ("setup.config", "Print the settings and the source of each value."),
        "encryption": ("setup.encryption", "Create a key for encrypted jobs, and count jobs by key."),
        "move": ("setup.move", "Move the data of a stopped application, or of old shards."),
        "completion": ("setup.completion", "Print the shell completion script."),
    },
}

_STARTING = ("run", "worker", "daemon")  # their processes import the jobs to run them


def starts_process(words: Sequence[str]) -> bool:
    """Whether a command line runs a clock or a worker, or is unknown.

    For all other commands, the jobs that modules push while they are imported must be dropped.
    """
    if {"-h", "--help", "--version"} & set(words) or list(words[:2]) in (["daemon", "stop"], ["daemon", "status"]):
        return False
    first = words[0] if words else "run"
    return first in _STARTING or not any(first in section for section in SECTIONS.values())


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
        threads = [thread for thread in left_running if not thread.daemon]  # a clock file started them
        for thread in threads:
            thread.join(THREAD_SECONDS)
        if any(thread.is_alive() for thread in threads):  # Python would wait for them forever
            logging.shutdown()
            sys.stdout.flush()
            os._exit(end.code if isinstance(end.code, int) else 0)
        raise


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
    except UnicodeEncodeError as error:  # an argument in another encoding
        escaped = re.compile("[\udc80-\udcff]")  # bytes that are not valid UTF-8, as Python escapes them
        text = next(filter(escaped.search, sys.argv), error.object)
        _fail(f"not valid UTF-8: {printable(text[:LONGEST_TEXT])}. Pass the text in UTF-8.")
    except MemoryError:
        _fail("out of memory")
    except OSError as error:  # a full disk, a folder without write permission
        _fail(error)
    sys.exit(exit_code or 0)


def _fail(why: object, exit_code: int = 1) -> NoReturn:
    text = str(why)
    echo(f"clock: {text[:LONGEST_ERROR]}", "…" if len(text) > LONGEST_ERROR else "", err=True)
    sys.exit(exit_code)
