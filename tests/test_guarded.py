"""Shared state is used under its lock: a comment `guarded by _lock` is checked, and each lock guards something."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "clock"
Function = ast.FunctionDef | ast.AsyncFunctionDef
_LOCK = re.compile(r"(?:threading\.)?(?:R?Lock|Condition)\(.*\)")


class Module:
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
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name != "__init__":
                yield from self._uses(function, function.body, frozenset())

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


def modules() -> Iterator[tuple[str, Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text()
        if "guarded by" in source or "Lock()" in source or "Condition(" in source:
            yield str(path.relative_to(PACKAGE)), Module(source)


MODULES = dict(modules())


#: Uses that need no lock, by module and function, with the reason.
EXPLAINED = {
    ("job/middleware/metrics.py", "reset"): "makes the lock; in a forked child, which has one thread",
    ("job/middleware/metrics.py", "_tally"): "its callers hold the lock",
    ("problems.py", "_meet"): "its callers hold the lock",
    ("store/server/connection.py", "default"): "a read of one name, then the lock with a timeout",
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
    ("worker/fetching/handoff.py", "_wanted"): "its callers hold the lock",
    ("worker/fetching/handoff.py", "_wake"): "its callers hold the lock",
    ("worker/launcher.py", "run"): "the thread that changes the list reads it",
    ("worker/launcher.py", "_look"): "the thread that changes the list reads it",
    ("worker/running/coroutines.py", "cancel_all"): "a read of one name, which is set once",
    ("worker/running/coroutines.py", "stacks"): "a read of one name, which is set once",
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
    ("timetable/clock_file/loading/loader.py", "_lock"): "one clock file is loaded at a time",
    ("timetable/triggers/country_holidays.py", "_lock"): "a calendar of another package",
    ("worker/fetching/handoff.py", "wake"): "it is a signal to one thread",
    ("worker/heartbeat/heartbeat_link.py", "_receiving"): "reads from the channel",
}


def test_guarded_state_is_used_under_its_lock() -> None:
    found = {(name, function) for name, module in MODULES.items() for function, *_ in module.outside()}

    assert found == set(EXPLAINED)


def test_each_lock_guards_state_or_is_explained() -> None:
    found = {
        (name, lock) for name, module in MODULES.items() for lock in module.locks - set(module.guarded.values())
    }

    assert found == set(NOT_OF_ATTRIBUTES)


def test_each_lock_that_a_comment_names_exists() -> None:
    assert [name for name, module in MODULES.items() if set(module.guarded.values()) - module.locks] == []


def test_a_use_without_the_lock_is_found() -> None:
    source = """
class Counter:
    def __init__(self):
        self._lock = threading.Lock()
        self._count = 0  # guarded by _lock

    def good(self):
        with self._lock:
            self._count += 1

    def bad(self):
        with self._lock:
            pass
        self._count += 1
"""

    assert list(Module(source).outside()) == [("bad", 14, "_count")]
