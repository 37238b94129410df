"""The text of a clock file: it is compiled, and inspected without running it.

A script for the `schedule` package imports `schedule` and not `clock`. Its loop ends at the call of
`run_pending()`: that call raises, and the code around it is compiled so this error passes. A bare `except:`, a
`finally` or a `with` around the loop is for the end of the program, but the program goes on.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import CodeType
from typing import TypeGuard

from clock.errors import ConfigurationError, DeclarationError

LOOP = "run_pending"
END, IS_ENDING = "__clock_end__", "__clock_is_ending__"
PASSING, ASYNC_PASSING = "__clock_with__", "__clock_async_with__"
_DECLARES = {"every", "cron", "handler", "error_handler", "sync_events", "database_events", "repeat", "do"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class SourceFile:
    """A clock file that has been read."""

    path: Path
    content: bytes

    @cached_property
    def file(self) -> str:
        """The absolute path, as in the file's code objects. The file may change the current folder."""
        return str(self.path.resolve())

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree. Raises DeclarationError for a syntax error."""
        try:
            return ast.parse(self.content, self.file)
        except (SyntaxError, ValueError) as error:
            raise self._unreadable(error) from error

    @cached_property
    def is_script(self) -> bool:
        """Whether it imports `schedule` and not `clock`."""
        names = set(_imported(self.tree)) if b"schedule" in self.content else set()
        return "schedule" in names and not names & {"clock", "clockd"}

    @cached_property
    def code(self) -> CodeType:
        """The code to run. Raises DeclarationError for a syntax error."""
        tree = self.tree
        if LOOP.encode() in self.content:
            names = self.functions_that_mention({LOOP}) | {LOOP}
            tree = ast.fix_missing_locations(_LetTheEndPass(names).visit(deepcopy(tree)))
        try:
            code: CodeType = compile(tree, self.file, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:  # such as a `return` outside of a function
            raise self._unreadable(error) from error
        return code

    def _unreadable(self, error: SyntaxError | ValueError) -> DeclarationError:
        line = getattr(error, "lineno", None) or 1
        text = (getattr(error, "text", None) or "").strip()
        what = f"{type(error).__name__}: {getattr(error, 'msg', error)}{text and ': '}{text}"
        return DeclarationError(f"{self.path}:{line}: {what}")

    @cached_property
    def functions(self) -> dict[str, Function]:
        """The functions and methods of the file by their names."""
        return {node.name: node for node in ast.walk(self.tree) if isinstance(node, Function)}

    @cached_property
    def functions_that_declare(self) -> set[str]:
        """The functions that declare events, themselves or by functions of this file that they call."""
        return self.functions_that_mention(_DECLARES)

    @cached_property
    def functions_of_schedule(self) -> set[str]:
        """The functions that declare events or have the loop, themselves or by functions that they call."""
        return self.functions_that_mention({*_DECLARES, LOOP})

    def functions_that_mention(self, names: set[str]) -> set[str]:
        """The functions of the file that mention one of `names`, or another function that does."""
        mentioned = {name: set(names_in(node)) for name, node in self.functions.items()}
        found: set[str] = set()
        while new := {name for name, inside in mentioned.items() if inside & (names | found)} - found:
            found |= new
        return found

    def declares(self, node: ast.AST) -> bool:
        """Whether a part of the file declares events when it runs."""
        return bool(set(names_in(node)) & (_DECLARES | self.functions_that_declare))

    def lost_under_guard(self, *, is_empty: bool) -> int | None:
        """The line of a declaration below `if __name__ == "__main__":`; of any guard, if nothing is declared."""
        guards = list(filter(is_guard, self.tree.body))
        for guard in filter(_never_runs, guards):
            outside = {name for node in self.tree.body if node is not guard for name in _calls(node)}
            for node in guard.body:
                if self.declares(node) and not outside & set(_calls(node)) & self.functions_that_declare:
                    return node.lineno
        return guards[0].lineno if guards and is_empty else None


def is_guard(node: ast.AST) -> TypeGuard[ast.If]:
    """Whether it is `if __name__ == "__main__":`, or a condition with that in it."""
    test = ast.unparse(node.test) if isinstance(node, ast.If) else ""
    return "__name__" in test and "'__main__'" in test


def _never_runs(guard: ast.If) -> bool:
    """Whether a guard has no other condition: with one, its code may run in a clock file, too."""
    return ast.unparse(guard.test) in ("__name__ == '__main__'", "'__main__' == __name__")


_IN_SETTINGS = "write schedule_file: {0} into config/clock.yml, or set CLOCK_SCHEDULE_FILE={0}"
#: Suffix of a file that people give in place of a clock file -> its language, and what to do
_OTHER_LANGUAGES = {
    ".yml": ("YAML", _IN_SETTINGS),
    ".yaml": ("YAML", _IN_SETTINGS),
    ".rb": ("Ruby", "docs/from-clockwork.md shows each of its lines in Python"),
}


def read(path: Path) -> SourceFile:
    """Read a clock file. Raises ConfigurationError if it cannot be read."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # reading a pipe would wait for its writer
            raise ConfigurationError(f"no clock file {path}: it is a pipe, a socket or a device")
        if path.suffix.lower() in _OTHER_LANGUAGES and path.is_file():
            language, advice = _OTHER_LANGUAGES[path.suffix.lower()]
            raise ConfigurationError(f"{path} is {language}, and a clock file is Python; {advice.format(path)}")
        return SourceFile(path, path.read_bytes())
    except FileNotFoundError as error:
        advice = "give another path, or generate one: clock new clock"
        if path.suffix != ".py":
            advice = "the argument is the path of a clock file, not the name of an event"
        raise ConfigurationError(f"no clock file {path}; {advice}") from error
    except OSError as error:
        raise ConfigurationError(f"no clock file {path}: {error.strerror}") from error


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def names_in(node: ast.AST) -> Iterator[str]:
    """All names and attributes of a part of a file."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr


def _calls(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name):
            yield part.func.id


class _LetTheEndPass(ast.NodeTransformer):
    """Makes `try` and `with` statements around the loop pass the end of the declarations on."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def visit_Try(self, node: ast.Try) -> ast.AST:  # the base class finds it by this name
        """Make handlers and the `finally` part do nothing at the end of the declarations."""
        if self._is_around_loop(node.body):
            if node.handlers:
                kind = ast.Name(END, ast.Load())
                node.handlers.insert(0, ast.ExceptHandler(kind, None, [ast.Raise(None, None)]))
            if node.finalbody:
                ending = ast.UnaryOp(ast.Not(), ast.Call(ast.Name(IS_ENDING, ast.Load()), [], []))
                node.finalbody = [ast.If(ending, node.finalbody, [])]
        return self.generic_visit(node)

    def visit_With(self, node: ast.With | ast.AsyncWith) -> ast.AST:  # as above
        """Keep the context managers from exiting at the end of the declarations."""
        if self._is_around_loop(node.body):
            wrapper = ASYNC_PASSING if isinstance(node, ast.AsyncWith) else PASSING
            for item in node.items:
                call = ast.Call(ast.Name(wrapper, ast.Load()), [item.context_expr], [])
                item.context_expr = ast.copy_location(call, item.context_expr)
        return self.generic_visit(node)

    visit_AsyncWith = visit_With  # noqa: N815  # as above

    def _is_around_loop(self, body: list[ast.stmt]) -> bool:
        return any(name in self._names for node in body for name in names_in(node))
