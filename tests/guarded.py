"""Shared state and its locks, read from the comments `guarded by _lock`; test_architecture.py checks them.

A use outside of the lock needs a reason in `EXPLAINED`. So does a lock that guards no attribute, in
`NOT_OF_ATTRIBUTES`.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "clock"
Function = ast.FunctionDef | ast.AsyncFunctionDef
_LOCK = re.compile(r"(?:threading\.)?(?:R?Lock|Condition)\(.*\)")


class GuardedModule:
    """A module's guarded names, its locks, and each use of a guarded name outside of its lock."""

    def __init__(self, source: str) -> None:
        self.tree = ast.parse(source)
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        comments = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
        self.guarded: dict[str, str] = {}
        self.locks: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign | ast.AnnAssign):
                [target, *_] = node.targets if isinstance(node, ast.Assign) else [node.target]
                if node.value and _LOCK.fullmatch(ast.unparse(node.value)):
                    self.locks.add(_name(target))
                for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                    if found := re.search(r"guarded by (\w+)", comments.get(line, "")):
                        self.guarded[_name(target)] = found[1]

    def outside(self) -> Iterator[tuple[str, int, str]]:
        """The uses of guarded names outside of their locks; constructors and module level run on one thread."""
        for function in ast.walk(self.tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and not self._makes_a_lock(function):
                yield from self._uses(function, function.body, frozenset())

    def _makes_a_lock(self, function: Function) -> bool:
        """Whether it is a constructor, or renews the object in a forked child."""
        made = (_name(node) for node in ast.walk(function) if isinstance(getattr(node, "ctx", None), ast.Store))
        return function.name == "__init__" or not self.locks.isdisjoint(made)

    def _uses(
        self, function: Function, body: Iterable[ast.AST], held: frozenset[str]
    ) -> Iterator[tuple[str, int, str]]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue  # is visited by itself
            inner = held
            if isinstance(node, ast.With):
                inner = held | {_name(item.context_expr) for item in node.items}
            if isinstance(node, ast.Attribute | ast.Name):
                lock = self.guarded.get(_name(node))
                if lock and lock not in held:
                    yield function.name, node.lineno, _name(node)
            yield from self._uses(function, ast.iter_child_nodes(node), inner)


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def guarded_modules() -> Iterator[tuple[str, GuardedModule]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text()
        if "guarded by" in source or "Lock()" in source or "Condition(" in source:
            yield str(path.relative_to(PACKAGE)), GuardedModule(source)


#: Uses that need no lock, by module and function, with the reason.
EXPLAINED = {
    ("monitors/sender.py", "stop"): "a read of one name; a thread that starts later is a daemon",
    ("job/middleware/metrics.py", "_tally"): "its callers hold the lock",
    ("problems.py", "_meet"): "its callers hold the lock",
    ("store/server/connection.py", "default"): "a read of one name, then the lock with a timeout",
    ("store/server/connection.py", "opened_default"): "a read of one name",
    ("store/server/connection.py", "using_default"): "a read of one name, in tests",
    (
        "store/server/free_connections.py",
        "put_nowait",
    ): "a thread that starts to wait looks into the list after that",
    ("worker/fetching/claims.py", "__contains__"): "one lookup",
    ("worker/fetching/claims.py", "has_done"): "a hint; the acknowledgement takes the lock",
    ("worker/fetching/claims.py", "_received"): "its callers hold the lock",
    ("worker/fetching/handoff.py", "resting"): "a length, as a hint",
    ("worker/fetching/handoff.py", "take"): "a length, as a hint; `_rest` looks again under the lock",
    ("worker/fetching/handoff.py", "wait_for_call"): "a length; a thread that rests later calls",
    ("worker/fetching/handoff.py", "_wake"): "its callers hold the lock",
    ("worker/launcher.py", "run"): "the thread that changes the list reads it",
    ("worker/launcher.py", "_look"): "the thread that changes the list reads it",
    ("worker/running/coroutines.py", "cancel_all"): "a read of one name, which is set once",
    ("worker/running/coroutines.py", "stacks"): "a read of one name, which is set once",
    ("worker/running/coroutines.py", "_note_task"): "a read of one name, which is set once",
    ("worker/running/coroutines.py", "_begin_child"): "in a forked child, which has one thread",
    (
        "worker/running/job_moves.py",
        "retry_refused",
    ): "a read of one name, to report; the next retry reports again",
}

#: Locks that guard no attribute, with the reason.
NOT_OF_ATTRIBUTES = {
    ("cli/commands/running/dev.py", "_printing"): "the lines of the processes on stdout",
    ("job/middleware/time_limit.py", "_nearer"): "a condition of `_lock`",
    ("rehearsal/job_modes.py", "_lock"): "finding a job among the payloads and taking it",
    ("ticker/leader.py", "_asking"): "taking and releasing the lease",
    ("timetable/clock_file/loading/loader.py", "_lock"): "one clock file is loaded at a time",
    ("timetable/triggers/holidays.py", "_lock"): "a calendar of another package",
    ("worker/fetching/handoff.py", "wake"): "it is a signal to one thread",
    ("worker/heartbeat/heartbeat_link.py", "_receiving"): "reads from the channel",
}
