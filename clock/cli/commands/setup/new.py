"""`clock new`: new files by convention, each with its test."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

import click

from clock.cli.groups import CommandGroup
from clock.cli.output import echo
from clock.errors import ConfigurationError


@click.group(cls=CommandGroup)
def new() -> None:
    """Generate a job or clock file and its test."""


@new.command(short_help="Generate the job NAME and its test.")
@click.argument("name")
def job(name: str) -> None:
    """Generate the job NAME (such as SendReceipts) and its test. Existing files are not overwritten.

    \b
    Example: python -m clock new job SendReceipts
    """
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name.removesuffix("Job").removesuffix("_job"))
    if not words or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise click.UsageError(f"{name!r} is not a valid job name; use verb and nouns: SendReceipts")
    snake = "_".join(word.lower() for word in words)
    camel = "".join(word[0].upper() + word[1:] for word in words)
    sentence = " ".join(snake.split("_")).capitalize()
    job = _JOB.substitute(camel=camel, sentence=sentence)
    test = _JOB_TEST.substitute(camel=camel, snake=snake)
    _write({f"jobs/{snake}_job.py": job, f"tests/jobs/test_{snake}_job.py": test})


@new.command(short_help="Generate lib/clock.py and its test.")
def clock() -> None:
    """Generate lib/clock.py, its test, and the package jobs/. Existing files are not overwritten.

    \b
    Example: python -m clock new clock, then: python -m clock dev
    """
    _write({"lib/clock.py": _CLOCK, "tests/test_clock_file.py": _CLOCK_TEST})


def _write(files: dict[str, str]) -> None:
    """Write the files, and the package jobs/ if it is missing."""
    for name in files:
        if Path(name).exists():
            raise ConfigurationError(f"{name} already exists; it is not overwritten")
    package = {} if Path("jobs/__init__.py").exists() else {"jobs/__init__.py": ""}
    for name, text in {**package, **files}.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        echo(f"Wrote {path}")


_JOB = Template('''\
from clock import Job


class ${camel}Job(Job):
    """$sentence."""

    def perform(self) -> None:
        """Do the work. It may run again after a failure or a crash: make it idempotent."""
        self.logger.info("$sentence")
''')

_JOB_TEST = Template("""\
from jobs.${snake}_job import ${camel}Job


def test_it_can_run_twice() -> None:
    ${camel}Job.perform_inline()
    ${camel}Job.perform_inline()
""")

_CLOCK = '''\
"""The schedule. Run it with: python -m clock lib/clock.py"""

import logging

from clock import configure, every

configure(tz="UTC")


def say_hello() -> None:
    """Runs in the clock's own process: keep such functions short, and give long work to a job."""
    logging.info("Hello")


every().day.at("06:00").do(say_hello).named("hello")
'''

_CLOCK_TEST = """\
from datetime import datetime, timedelta

from clock import testing


def test_hello_runs_every_morning() -> None:
    start = datetime(2026, 3, 1)

    history = testing.run("lib/clock.py", start_time=start, end_time=start + timedelta(days=7))

    assert history.times_run("hello") == 7
"""
