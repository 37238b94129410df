"""The lines of a file that keep it from ending: those that wait, and those that catch every error."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from clock.timetable.clock_file.loading.source_file import names_in

_WAITS = {"sleep", "join", "wait", "pause", "sigwait"}
_CATCH_ALL = {"BaseException", "SystemExit"}


def waiting(tree: ast.Module, line: int) -> str:
    """ "endless" if the line is in a loop that only waits, "sleep" if it only waits, else "".

    >>> waiting(ast.parse("while True:\\n    time.sleep(1)"), 2), waiting(ast.parse("time.sleep(1)"), 1)
    ('endless', 'sleep')
    """
    around = _around(tree, line)
    loops = [node for node in around if isinstance(node, ast.While)]
    if loops and all(map(_only_waits, loops[0].body)):
        return "endless"
    return "sleep" if around and _only_waits(around[0]) else ""


def swallower(frame: FrameType | None) -> str:
    """File and line of the handler that catches SystemExit around the innermost frame."""
    place = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "?"
    for outer in stack(frame):
        try:
            tree = ast.parse(Path(outer.f_code.co_filename).read_bytes())
        except (OSError, SyntaxError, ValueError):
            tree = ast.Module([], [])
        lines = [line for node in _around(tree, outer.f_lineno) for line in _catching_lines(node)]
        if lines:
            return f"{outer.f_code.co_filename}:{lines[0]}"
    return place


def stack(frame: FrameType | None) -> Iterator[FrameType]:
    """The frames of a thread, innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def _around(tree: ast.Module, line: int) -> list[ast.stmt]:
    """The statements that hold a line, innermost first."""
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    holding = [node for node in statements if node.lineno <= line <= (node.end_lineno or node.lineno)]
    return sorted(holding, key=lambda node: (node.end_lineno or node.lineno) - node.lineno)


def _only_waits(node: ast.stmt) -> bool:
    if isinstance(node, ast.Try):
        return all(map(_only_waits, node.body))
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        return (getattr(function, "attr", None) or getattr(function, "id", None)) in _WAITS
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _catching_lines(node: ast.stmt) -> Iterator[int]:
    if isinstance(node, ast.Try):
        yield from (handler.lineno for handler in node.handlers if _catches_all(handler.type))
        yield from (node.finalbody[0].lineno for part in node.finalbody if _leaves(part))
    if isinstance(node, (ast.With, ast.AsyncWith)):
        yield from (node.lineno for item in node.items if _catches_all(item))


def _catches_all(kind: ast.AST | None) -> bool:
    return kind is None or not _CATCH_ALL.isdisjoint(names_in(kind))


def _leaves(node: ast.AST) -> bool:
    """Whether a `finally` part leaves, which drops the error."""
    return any(isinstance(part, (ast.Continue, ast.Break, ast.Return)) for part in ast.walk(node))
