"""How commands answer: tables that fit the terminal, JSON for programs, durations and instants for people."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence

import click
from click.formatting import wrap_text

NARROWEST = 8  # characters that a shortened column keeps

json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")


def echo_json(value: object) -> None:
    """Print `value` as JSON; what JSON does not have is written as text."""
    is_utf8 = sys.stdout.encoding.lower() == "utf-8"
    click.echo(json.dumps(value, ensure_ascii=not is_utf8, indent=2, default=str))


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    width: int | None = None,
    whole: str | None = None,
) -> list[str]:
    """The lines of a table; where it is wider than `width`, its widest columns are shortened, the first one last.

    The column `whole` never is, so that what it names can be copied. Columns that hold nothing are left out.

    >>> table(["queue", "jobs"], [["default", 12], ["low", 3]])
    ['queue    jobs', 'default    12', 'low         3']
    """
    texts = [[printable(value) for value in row] for row in rows]
    columns = [index for index in range(len(headings)) if any(row[index] for row in texts)]
    widths = {index: max(len(headings[index]), *(len(row[index]) for row in texts)) for index in columns}
    if width is not None:
        _shorten(widths, width, whole=None if whole is None else headings.index(whole))
    numeric = {index for index in columns if all(_is_number(row[index]) for row in rows)}
    return [
        "  ".join(_cell(row[index], widths[index], right=index in numeric) for index in columns).rstrip()
        for row in ([*headings], *texts)
    ]


def blocks(headings: Sequence[str], rows: Sequence[Sequence[object]], *, width: int) -> list[str]:
    """The lines of a table too wide for `width`: for each row its first value, and the others below it.

    >>> blocks(["event", "does"], [["nightly", "SendMailJob"]], width=30)
    ['nightly', '  does  SendMailJob']
    """
    label = max(map(len, headings[1:]))
    lines = []
    for first, *others in rows:
        lines.append(printable(first))
        for heading, value in zip(headings[1:], others, strict=True):
            if printable(value):
                indent = " " * (label + 4)
                lines += wrap_text(f"  {heading:{label}}  {printable(value)}", width, "", indent).splitlines()
    return lines


def echo_table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, whole: str | None = None) -> None:
    """Print a table, its headings in bold, shortened where the terminal is too narrow for it.

    Where there is no room for it with the column `whole` as it is, each row is a block that begins with that.
    """
    width = terminal_width()
    head, *lines = table(headings, rows, width=width, whole=whole)
    if whole and width and max(map(len, [head, *lines])) > width:
        order = sorted(range(len(headings)), key=lambda index: headings[index] != whole)
        _echo_blocks([headings[i] for i in order], [[row[i] for i in order] for row in rows], width)
        return
    click.secho(head, bold=True)
    for line in lines:
        click.echo(line)


def echo_table_or_blocks(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, or where the terminal is too narrow for it, each row as a block: nothing is shortened."""
    width = terminal_width()
    if width is None or max(map(len, table(headings, rows))) <= width:
        echo_table(headings, rows)
    else:
        _echo_blocks(headings, rows, width)


def _echo_blocks(headings: Sequence[str], rows: Sequence[Sequence[object]], width: int) -> None:
    for line in blocks(headings, rows, width=width):
        click.secho(line, bold=not line.startswith(" "))


def terminal_width() -> int | None:
    """How many columns there are; None: the output goes to a file or program, which takes lines of any length."""
    if "COLUMNS" in os.environ or (sys.stdout and sys.stdout.isatty()):
        return shutil.get_terminal_size().columns
    return None


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


def _shorten(widths: dict[int, int], room: int, *, whole: int | None) -> None:
    first, *others = widths
    while sum(widths.values()) + 2 * (len(widths) - 1) > room:
        wide = [index for index in others if index != whole and widths[index] > NARROWEST]
        if not wide and (first == whole or widths[first] <= NARROWEST):
            return
        widths[max(wide or [first], key=lambda index: widths[index])] -= 1


def printable(value: object) -> str:
    """Text for a terminal: what it would obey, an escape sequence from a job's arguments, is taken out."""
    text = "" if value is None else str(value)
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _is_number(value: object) -> bool:
    return value is None or isinstance(value, (int, float))


def _cell(text: str, width: int, *, right: bool) -> str:
    short = text if len(text) <= width else text[: width - 1] + "…"
    return short.rjust(width) if right else short.ljust(width)
