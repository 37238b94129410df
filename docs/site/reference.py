"""The parts of the reference that are made from the code, as Markdown."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from clock.cli.app import SECTIONS as COMMANDS
from clock.cli.app import cli

CLOCK = Path(__file__).parents[2] / "clock"
MODULES = ("clock", "clock.api", "clock.testing", "clock.log", "clock.web", "clock.flask", "clock.fastapi")
_METRICS = {
    "Counter": "counter",
    "CounterMetricFamily": "counter",
    "Gauge": "gauge",
    "GaugeMetricFamily": "gauge",
    "Histogram": "histogram",
}
#: A constant of `store/keys.py` with its comment, and a function that makes a key, with its docstring.
_KEY = re.compile(r'^[A-Z_]+(?:: Final)? = \(?\s*"([^"]+)"  # (.*(?:\n# .*)*)', re.MULTILINE)
_MADE_KEY = re.compile(r'"""(.+)"""\n    return f"(.+)"$', re.MULTILINE)


def commands() -> str:
    """Every command: its help, its arguments and its options."""
    with click.Context(cli, info_name="clock") as context:
        lines: list[str] = []
        for section, names in COMMANDS.items():
            lines += [f"## {section}", ""]
            for name in names:
                lines += _command(cli, context, name, level=3)
        return "\n".join(lines)


def _command(group: click.Group, outer: click.Context, name: str, level: int) -> Iterator[str]:
    command = group.get_command(outer, name)
    if command is None:
        raise LookupError(name)
    context = click.Context(command, parent=outer, info_name=name)
    usage = command.get_usage(context).removeprefix("Usage: ")
    yield from ("#" * level + f" `{context.command_path}`", "", "```text", usage, "```", "")
    yield from (_prose(command.help or ""), "")
    rows = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
    if rows:
        yield from ("| option | meaning |", "| --- | --- |")
        yield from (f"| `{_cell(names)}` | {_cell(about)} |" for names, about in rows)
        yield ""
    if isinstance(command, click.Group):
        for part in command.list_commands(context):
            yield from _command(command, context, part, level + 1)


def _prose(text: str) -> str:
    """A help text as Markdown: what follows a backspace character keeps its lines."""
    parts = re.split(r"\n\s*\n", inspect.cleandoc(text))
    return "\n\n".join(
        f"```text\n{part[1:].strip(chr(10))}\n```" if part.startswith("\b") else _escape(part) for part in parts
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")


def _escape(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", r"\*")


def redis_keys() -> str:
    """Every key in Redis, from `store/keys.py`."""
    sidekiqs, _, ours = (CLOCK / "store/keys.py").read_text().partition("# Ours: ")
    made = [(_shown(name), about) for about, name in _MADE_KEY.findall(ours)]  # these are Sidekiq's, too
    _, _, units = sidekiqs.partition("# Sidekiq's (see its wire format): ")
    return "\n".join(
        [
            *_keys("Sidekiq's keys", units, [*_KEY.findall(sidekiqs), *made]),
            *_keys("Clock's own keys", ours, _KEY.findall(ours)),
        ]
    )


def _keys(title: str, units: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A table of keys and their meanings; `units` starts with the line about their times."""
    line = units.partition("\n")[0]
    yield from ("", f"## {title}", "", line[:1].upper() + line[1:], "")
    yield from ("| key | type and meaning |", "| --- | --- |")
    for name, about in rows:
        meaning = about.replace("\n# ", " ")
        yield f"| `{_cell(name)}` | {_cell(meaning)} |"


def _shown(made: str) -> str:
    """The key of a function, such as `f"{identity}:work"`: with names in capitals, `IDENTITY:work`."""
    return re.sub(r"\{(\w+)[^}]*\}", lambda found: found[1].upper(), made)


def metrics() -> str:
    """Every metric, from `health/metrics.py`."""
    calls = ast.walk(ast.parse((CLOCK / "health/metrics.py").read_text()))
    rows = {_metric(node) for node in calls if isinstance(node, ast.Call)} - {""}
    head = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *sorted(rows)])


def _metric(call: ast.Call) -> str:
    """The row of a metric, "" for other calls: the class is called with a name, a text and perhaps labels."""
    kind = _METRICS.get(ast.unparse(call.func))
    match call.args[:3]:
        case [ast.Constant(str() as name), ast.Constant(str() as about), *rest] if kind:
            lists = [
                each for each in (*rest, *(word.value for word in call.keywords)) if isinstance(each, ast.List)
            ]
            labels = ", ".join(f"`{ast.literal_eval(label)}`" for each in lists for label in each.elts)
            shown = f"{name}_total" if kind == "counter" else name
            return f"| `{shown}` | {kind} | {labels} | {_cell(about)} |"
    return ""


def python() -> str:
    """Directives that document every public name of the package."""
    return "\n\n".join(
        f"## `{module}`\n\n```{{eval-rst}}\n.. automodule:: {module}\n   :members:\n```" for module in MODULES
    )


def python_as_text() -> str:
    """Every public name of the package with its docstring, for readers of plain Markdown."""
    lines: list[str] = []
    for name in MODULES:
        module = importlib.import_module(name)
        lines += [f"## `{name}`", "", inspect.getdoc(module) or "", ""]
        for member in getattr(module, "__all__", ()):
            value = getattr(module, member)
            signature = str(inspect.signature(value)) if inspect.isroutine(value) else ""
            lines += [f"### `{name}.{member}{signature}`", "", inspect.getdoc(value) or "", ""]
    return "\n".join(lines)


#: What takes the place of `<!-- generated: NAME -->` in a page.
PARTS = {"commands": commands, "redis-keys": redis_keys, "metrics": metrics, "python": python}
