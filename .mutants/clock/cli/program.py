"""Starting this program again: for worker processes, for `dev` and for `--reload`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_command: tuple[str, ...] = ("-m", "clockd")


def restarted_by(*words: str) -> None:
    """Set the words after the interpreter that start the command line, such as `manage.py clock`."""
    global _command  # a process has one command line
    _command = words


def command(arguments: Sequence[str], *, unbuffered: bool = False) -> list[str]:
    """The command that starts the command line with these arguments."""
    return [sys.executable, *(["-u"] if unbuffered else []), *_command, *arguments]
