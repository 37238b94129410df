"""How commands answer: tables that fit the terminal, JSON for programs, durations and instants for people."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
NARROWEST = 8  # characters that a shortened column keeps


def json_option(command: F) -> F:
    """Add `--json`, which hands `as_json` to the command."""
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")(command)


def echo_json(value: object) -> None:
    """Print `value` as JSON; what JSON does not have is written as text."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, width: int | None = None) -> list[str]:
    """The lines of a table; where it is wider than the terminal, its widest columns are shortened.

    Columns that hold nothing are left out.

    >>> table(["queue", "jobs"], [["default", 12], ["low", 3]], width=80)
    ['queue    jobs', 'default    12', 'low         3']
    """
    texts = [[_text(value) for value in row] for row in rows]
    columns = [index for index in range(len(headings)) if any(row[index] for row in texts)]
    widths = {index: max(len(headings[index]), *(len(row[index]) for row in texts)) for index in columns}
    room = width or shutil.get_terminal_size().columns
    while sum(widths.values()) + 2 * (len(widths) - 1) > room and max(widths.values()) > NARROWEST:
        widths[max(widths, key=lambda index: widths[index])] -= 1
    numeric = {index for index in columns if all(_is_number(row[index]) for row in rows)}
    return [
        "  ".join(_cell(row[index], widths[index], right=index in numeric) for index in columns).rstrip()
        for row in ([*headings], *texts)
    ]


def echo_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, its headings in bold."""
    head, *lines = table(headings, rows)
    click.secho(head, bold=True)
    for line in lines:
        click.echo(line)


def duration(seconds: float) -> str:
    """A stretch of time in its two largest units.

    >>> duration(0.25), duration(75), duration(90_000)
    ('0.25 s', '1 min 15 s', '1 d 1 h')
    """
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.0f} s"
    for size, name, part, part_name in _UNITS:
        if seconds >= size:
            rest = int(seconds % size // part)
            return f"{int(seconds // size)} {name}" + (f" {rest} {part_name}" if rest else "")
    raise AssertionError  # a minute is the last of the units


_UNITS = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _is_number(value: object) -> bool:
    return value is None or isinstance(value, (int, float))


def _cell(text: str, width: int, *, right: bool) -> str:
    short = text if len(text) <= width else text[: width - 1] + "…"
    return short.rjust(width) if right else short.ljust(width)
