"""Work of a clock file while it is loaded, other than declarations: each command and each start repeats it.

The text of the file decides: calls whose result is not used, at the top level or in functions of the file that
declare events. Calls with usual names of preparations (`setup`, `load_dotenv`, `append`...) are skipped.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clock.timetable.clock_file.loading.source_file import LOOP, SourceFile, is_guard, read
from clock.timetable.naming import shortened

_PREPARES = (
    "add", "append", "basic", "capture", "chdir", "config", "debug", "dict", "disable", "enable", "error",
    "exception", "exit", "extend", "file", "filter", "import", "info", "init", "insert", "install", "join", "load",
    "log", "parse", "patch", "print", "put", "quit", "register", "seed", "set", "signal", "simple", "start",
    "update", "use", "warn",
)  # fmt: skip
_DECLARES = {"schedule", "clock", "clockd"}


@dataclass(frozen=True, slots=True)
class Work:
    """A call of the file: its line, its text, and whether it is in the file's loop."""

    line: int
    text: str
    is_in_loop: bool


def work_while_loading(path: Path) -> list[Work]:
    """The calls that do work while the file is loaded, and those in its loop, which the clock does not run."""
    source = read(path)
    return list(_Reader(source).read(source.tree.body))


class _Reader:
    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self._looping = source.functions_that_mention({LOOP}) | {LOOP}
        self._read: set[str] = set()  # functions of the file that were followed
        self._is_over = False  # the loop was reached

    def read(self, body: Sequence[ast.stmt]) -> Iterator[Work]:
        """The work of these statements, up to the loop."""
        for node in body:
            if self._is_over:
                return
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                yield from self._call(node.value)
            elif isinstance(node, ast.While) and self._has_loop(node):
                yield from self._loop(node)
            elif is_guard(node) and not self._source.is_script:  # this part of the file is not run
                continue
            elif isinstance(node, (ast.If, ast.For, ast.While, ast.With, ast.Try)):
                yield from self.read(node.body)

    def _loop(self, node: ast.While) -> Iterator[Work]:
        self._is_over = True
        expressions = [part.value for part in ast.walk(node) if isinstance(part, ast.Expr)]
        for call in expressions:
            is_waiting = isinstance(call, ast.Call) and _name(call.func) in ("sleep", "wait")
            if isinstance(call, ast.Call) and not (is_waiting or self._has_loop(call) or _prepares(call)):
                yield _work(call, is_in_loop=True)

    def _call(self, call: ast.Call) -> Iterator[Work]:
        name = _name(call.func)
        if isinstance(call.func, ast.Name) and name in self._source.functions_of_schedule:
            if name not in self._read:
                self._read.add(name)
                yield from self.read(self._source.functions[name].body)
        elif self._has_loop(call):
            self._is_over = not isinstance(call.func, ast.Attribute) or name == LOOP
        elif not (self._source.declares(call) or _root(call) in _DECLARES or _prepares(call)):
            yield _work(call, is_in_loop=False)

    def _has_loop(self, node: ast.AST) -> bool:
        return any(_name(part) in self._looping for part in ast.walk(node))


def _work(call: ast.Call, *, is_in_loop: bool) -> Work:
    return Work(call.lineno, shortened(" ".join(ast.unparse(call).split())), is_in_loop)


def _prepares(call: ast.Call) -> bool:
    return _name(call.func).lower().lstrip("_").startswith(_PREPARES)


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _root(node: ast.AST) -> str:
    """The name at the start of a chain of calls and attributes."""
    while isinstance(node, (ast.Call, ast.Attribute)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return _name(node)
