"""The output of commands: lines, tables that fit the terminal, JSON for programs.

All output of commands goes through this module. Values may come from Redis, an exception or a database, so control
characters are escaped here, once: no value can end its line, control the terminal or reorder the text.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO
from unicodedata import east_asian_width

import click
from click.formatting import wrap_text

from clock.errors import ConfigurationError
from clock.printable import UNPRINTABLE, as_json_value, printable

LONGEST = 400  # characters of a value in a list on a terminal; `show` and `--json` give the whole value
ENDLESS = 1_000_000  # columns of an output that is not a terminal: its lines are not wrapped

_ANSWERS = f"{__name__}.answers"

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@dataclass(frozen=True, slots=True)
class Styled:
    """A part of a line, in colour or bold."""

    text: object
    fg: str | None = None
    bold: bool = False


def keep_answer_apart() -> None:
    """Send output of the user's code to stderr until the command ends, so stdout contains only the answer."""
    context = click.get_current_context()
    if _ANSWERS not in context.meta:
        context.meta[_ANSWERS] = context.find_root().with_resource(_apart())


def answers() -> TextIO:
    """The stream for the command's answer."""
    context = click.get_current_context(silent=True)
    return context.meta.get(_ANSWERS) or sys.stdout if context else sys.stdout


@contextmanager
def _apart() -> Iterator[TextIO]:
    """The stream for the answer. In the block stdout is stderr, also for processes that the user's code starts."""
    with ExitStack() as stack:
        answer = sys.stdout
        with suppress(OSError, AttributeError):  # a stream without a descriptor; a stderr that is closed
            answer = stack.enter_context(_own_descriptor(sys.stdout, sys.stderr.fileno()))
        stack.enter_context(redirect_stdout(sys.stderr))
        yield answer


@contextmanager
def _own_descriptor(stream: TextIO, other: int) -> Iterator[TextIO]:
    """A stream to the target of `stream`. Inside the block the descriptor of `stream` leads to `other`."""
    stream.flush()
    number = stream.fileno()
    own = os.fdopen(os.dup(number), "w", encoding=stream.encoding, errors=stream.errors)
    os.dup2(other, number)
    try:
        yield own
    finally:
        os.dup2(own.fileno(), number)
        own.close()


def echo(*parts: object, fg: str | None = None, bold: bool = False, err: bool = False, nl: bool = True) -> None:
    """Write one line: the parts, one after the other."""
    styled = (part if isinstance(part, Styled) else Styled(part, fg, bold) for part in parts)
    click.echo("".join(map(_styled, styled)), file=None if err else answers(), err=err, nl=nl)


def _styled(part: Styled) -> str:
    text = printable(part.text)
    return click.style(text, fg=part.fg, bold=part.bold or None) if part.fg or part.bold else text


def echo_wrapped(text: object, *, first: str | Styled = "", indent: str = "", fg: str | None = None) -> None:
    """Write a text, wrapped at the terminal's width; `first` starts the first line, `indent` the others."""
    begin = first if isinstance(first, Styled) else Styled(first)
    lead = printable(begin.text)
    lines = wrap_text(printable(text), terminal_width() or ENDLESS, lead, indent)[len(lead) :]
    click.echo(_styled(begin) + (click.style(lines, fg=fg) if fg else lines), file=answers())


def echo_page(text: str) -> None:
    """Write a text with a fixed layout of several lines."""
    click.echo("\n".join(map(printable, text.rstrip("\n").split("\n"))), file=answers())


def echo_as_is(text: str) -> None:
    """Write output of another program, or code for a shell: without escapes and without a line end."""
    click.echo(text, file=answers(), nl=False)


def write_file(path: Path, text: str) -> None:
    """Write a file that the user named. Raises ConfigurationError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error


def echo_json(value: object, *, indent: int = 2) -> None:
    """Write `value` as JSON: instants as in RFC 3339, other values that JSON lacks as text."""
    is_utf8 = answers().encoding.lower() == "utf-8"
    text = json.dumps(value, ensure_ascii=not is_utf8, indent=indent, default=as_json_value)
    lines = (UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], line) for line in text.split("\n"))
    click.echo("\n".join(lines), file=answers())


def table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, width: int | None = None) -> list[str]:
    """The lines of a table. If `width` is too small, the widest columns go below their row.

    Empty columns are omitted.

    >>> table(["queue", "jobs"], [["default", 12], ["low", 3]])
    ['queue    jobs', 'default    12', 'low         3']
    >>> table(["event", "does"], [["nightly", "SendMailJob"]], width=19)
    ['event', 'nightly', '  does  SendMailJob']
    """
    texts = [[printable(value) for value in row] for row in rows]
    if width is not None:
        texts = [[text if len(text) <= LONGEST else text[: LONGEST - 1] + "…" for text in row] for row in texts]
    filled = [index for index in range(len(headings)) if any(row[index] for row in texts)]
    widths = {index: max(_cells(headings[index]), *(_cells(row[index]) for row in texts)) for index in filled}
    beside = list(filled)  # columns of a row: the first one, and the narrowest of the others that fit
    while width is not None and len(beside) > 1 and sum(widths[index] + 2 for index in beside) - 2 > width:
        beside.remove(max(beside[1:], key=lambda index: widths[index]))
    below = [index for index in filled if index not in beside]
    label = max((len(headings[index]) for index in below), default=0)
    numeric = {index for index in beside if all(isinstance(row[index], int | float | None) for row in rows)}

    def side_by_side(row: Sequence[str]) -> str:
        return "  ".join(_cell(row[index], widths[index], right=index in numeric) for index in beside).rstrip()

    lines = [side_by_side(headings)]
    for row in texts:
        lines.append(side_by_side(row))
        for index in below:
            if row[index]:
                first, others = f"  {headings[index]:{label}}  ", " " * (label + 4)
                lines += wrap_text(row[index], width or ENDLESS, first, others).splitlines()
    return lines


def echo_table(
    headings: Sequence[str], rows: Sequence[Sequence[object]], left_out: int | str = 0, *, none: str = ""
) -> None:
    """Write a table, its headings in bold, or `none` without rows; `left_out`: how many more rows there are."""
    if not rows:
        echo(none)
        return
    head, *lines = table(headings, rows, width=terminal_width())
    click.secho(head, file=answers(), bold=True)
    for line in lines:
        click.echo(line, file=answers())
    if left_out:
        echo(f"... and {left_out} more; use --limit to show them")


def terminal_width() -> int | None:
    """The terminal's width in columns. None: the output is a file or program, and lines may have any length."""
    if "COLUMNS" in os.environ or (sys.stdout and answers().isatty()):
        return shutil.get_terminal_size().columns
    return None


def utc(instant: datetime) -> str:
    """An instant in UTC."""
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def _cells(text: str) -> int:
    """The width of a text in columns: East Asian characters take two."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(one) in "WF" else 1 for one in text)


def _cell(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - _cells(text))
    return space + text if right else text + space
