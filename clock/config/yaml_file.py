"""Reads a YAML file as plain data whose mappings have their lines; nothing in it is ever executed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from clock.errors import ConfigurationError

DEEPEST = 50  # levels of nesting; settings and events have five
MOST_NODES = 300_000  # values in a file with expanded aliases: ten thousand events have fewer
LARGEST = 10_000_000  # characters of a file
_TOO_DEEP = f"nested more than {DEEPEST} levels deep"
_INT = "tag:yaml.org,2002:int"
_MERGE = "tag:yaml.org,2002:merge"
_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}")


class Fields(dict[str, Any]):
    """A mapping of a file. If keys are Ruby's symbols, they are plain words here, and `has_symbols` is set.

    `line` is the line of its start, from 1 on, `lines` are those of its keys. `merged` are the keys of values that
    other mappings merge (`<<: *defaults`).
    """

    def __init__(self, line: int = 0) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}
        self.merged: set[str] = set()
        self.has_symbols = False


class _Loader(yaml.SafeLoader):
    """Reads 16:20 as text, as YAML 1.2 does (by YAML 1.1 it is 980).

    A value that is nested too deeply, or invalid for its type, raises a YAMLError with its line.
    """

    def __init__(self, text: str, path: Path) -> None:
        super().__init__(text)
        self._path = path
        self._depth = 0
        self._merged: set[int] = set()  # the ids of the nodes that others merge

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Read the next node. Raises MarkedYAMLError if it is nested too deeply."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem=_TOO_DEEP, problem_mark=self.peek_event().start_mark)  # type: ignore[no-untyped-call]  # untyped there
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, yaml.MappingNode):
            self._merged.update(map(id, _merged_by(node)))
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of the node. Raises MarkedYAMLError if it is invalid, such as a date in month 13."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError):
            kind = node.tag.rpartition(":")[2]
            raise yaml.MarkedYAMLError(
                problem=f"{node.value!r:.40} cannot be read as {kind}", problem_mark=node.start_mark
            ) from None

    def fields(self, node: yaml.Node) -> Fields:
        """The value of a mapping, after the values that it merges and does not override."""
        if not isinstance(node, yaml.MappingNode):
            raise yaml.MarkedYAMLError(
                problem=f"expected a mapping node, but found {node.id}",  # type: ignore[attr-defined]  # stubs lack it
                problem_mark=node.start_mark,
            )
        found, own = Fields(_line_of(node)), dict[str, int]()
        for part in reversed([self._part(merged) for merged in _merged_by(node)]):  # the first one counts
            found.update(part)
            found.lines |= part.lines
        for key, value in node.value:
            if key.tag == _MERGE:
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="found unhashable key", problem_mark=key.start_mark)
            name = key.value.removeprefix(":")
            if name in own:
                raise ConfigurationError(
                    f"{self._path}:{_line_of(key)}: {key.value!r:.60} is already defined in line {own[name]}"
                )
            own[name] = _line_of(key)
            found[name] = self.construct_object(value)
            found.has_symbols |= name != key.value
            if id(value) in self._merged:
                found.merged.add(name)
        found.lines |= own
        return found

    def _part(self, node: yaml.Node) -> Fields:
        """A value that a mapping merges; null merges nothing."""
        value = self.construct_object(node, deep=True)
        if isinstance(value, Fields):
            return value
        if value is None:
            return Fields()
        text = f"<< merges mappings, as in `<<: *defaults`, not {value!r:.40}"
        raise ConfigurationError(f"{self._path}:{_line_of(node)}: {text}")


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != _INT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    _INT, re.compile(r"^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*)$"), list("-+0123456789")
)
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.fields)


def loaded(path: Path) -> object:
    """The file's document; None: it is empty. Callers must not change it, because it is kept.

    Raises ConfigurationError, with file and line.
    """
    return _document(path, _text_of(path))


def _text_of(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LARGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if len(text) > LARGEST:
        raise ConfigurationError(f"{path}: more than {LARGEST:,} characters are too many for a settings file")
    if "<%" in text:
        line = text[: text.index("<%")].count("\n") + 1
        raise ConfigurationError(f"{path}:{line}: <% is ERB, which only Ruby runs; write ${{NAME:-default}}")
    return text


@lru_cache(maxsize=4)  # settings and events may be in one file, and a file of 1,000 events takes 0.5 s
def _document(path: Path, text: str) -> object:
    try:
        loader = _Loader(text, path)
        node: yaml.Node | None = loader.get_single_node()
        if node is None:
            return None
        _check_size(path, node)
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigurationError(f"{where}: not valid YAML: {_problem_of(error)}") from error


def _problem_of(error: yaml.YAMLError) -> str:
    problem, context = getattr(error, "problem", None), getattr(error, "context", None)
    if problem and context and problem.startswith("but "):  # the second half of a sentence
        return f"{context}, {problem}"
    return problem or str(error)


def _check_size(path: Path, document: yaml.Node) -> None:
    """Raise ConfigurationError if the expanded aliases are far more than settings or events need.

    Each node is visited once, however many aliases refer to it, so the check is fast.
    """
    known: dict[int, tuple[int, int]] = {}  # a node's id -> the number of nodes below it, and their depth

    def measure(node: yaml.Node, above: int) -> tuple[int, int]:
        count, depth = known.get(id(node), (1, 1))
        if id(node) not in known and above <= DEEPEST:
            for child in _children(node):
                below = measure(child, above + 1)
                count, depth = count + below[0], max(depth, below[1] + 1)
            known[id(node)] = count, depth
        if above + depth > DEEPEST + 1:
            raise ConfigurationError(
                f"{path}:{_line_of(node)}: {_TOO_DEEP}, by an alias (*) to the value that contains it"
            )
        if count > MOST_NODES:
            raise ConfigurationError(
                f"{path}:{_line_of(node)}: its aliases (*) expand to over {MOST_NODES:,} values"
            )
        return count, depth

    measure(document, 1)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _merged_by(node: yaml.MappingNode) -> list[yaml.Node]:
    given = [value for key, value in node.value if key.tag == _MERGE]
    return [part for value in given for part in (value.value if isinstance(value, yaml.SequenceNode) else [value])]


def _line_of(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def with_variables(value: object, environ: Mapping[str, str], where: str) -> object:
    """The value with `${NAME}` and `${NAME:-default}` replaced, at any depth. Raises ConfigurationError."""
    if isinstance(value, list):
        return [with_variables(item, environ, where) for item in value]
    if isinstance(value, dict):
        return {key: with_variables(item, environ, where) for key, item in value.items()}
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name, has_default, default = match.groups()
        if name is None:
            return "${"
        if environ.get(name):
            return environ[name]
        if has_default is None:
            raise ConfigurationError(
                f"{where}: the environment variable {name} is not set; set it, or give a default: ${{{name}:-...}}"
            )
        return str(default)

    return _REFERENCE.sub(replace, value)
