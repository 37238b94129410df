"""How this program is started again: for worker processes, for `dev` and for `--reload`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_command: tuple[str, ...] = ("-m", "clockd")


def restarted_by(*words: str) -> None:
    """Let `words`, after the interpreter, start the command line: `manage.py clock`, for instance."""
    global _command  # a process has one command line
    _command = words


def command(arguments: Sequence[str], *, unbuffered: bool = False) -> list[str]:
    """The command that starts the command line with these arguments."""
    return [sys.executable, *(["-u"] if unbuffered else []), *_command, *arguments]
