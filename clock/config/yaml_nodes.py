"""A YAML file's text as nodes with their lines; nothing in it is ever executed."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import yaml

from clock.errors import ConfigurationError

_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}")


class _Loader(yaml.SafeLoader):
    """Reads 16:20 as text, as YAML 1.2 does (by YAML 1.1 it is 980).

    A value that is nested too deeply, or invalid for its type, raises a YAMLError with its line.
    """

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Read the next node. Raises MarkedYAMLError if it is nested too deeply."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem=_TOO_DEEP, problem_mark=self.peek_event().start_mark)  # type: ignore[no-untyped-call]  # untyped there
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        """The value of the node. Raises MarkedYAMLError if it is invalid, such as a date in month 13."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError):
            kind = node.tag.rpartition(":")[2]
            raise yaml.MarkedYAMLError(
                problem=f"{node.value!r:.40} cannot be read as {kind}", problem_mark=node.start_mark
            ) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        """The value of a mapping, including its merges. The library would write the merges into the node."""
        if isinstance(node, yaml.MappingNode):
            node = yaml.MappingNode(node.tag, pairs_of(node), node.start_mark, node.end_mark)
        return super().construct_mapping(node, deep)


DEEPEST = 50  # levels of nesting; settings and events have five
MOST_NODES = 300_000  # values in a file with expanded aliases: ten thousand events have fewer
LARGEST = 10_000_000  # characters of a file
_TOO_DEEP = f"nested more than {DEEPEST} levels deep"
_INT = "tag:yaml.org,2002:int"
MERGE = "tag:yaml.org,2002:merge"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != _INT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    _INT, re.compile(r"^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*)$"), list("-+0123456789")
)


def composed(path: Path) -> yaml.Node | None:
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
def _document(path: Path, text: str) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(text, _Loader)
        _check_size(path, node)
        _check_mappings(path, node)
        value_of(node)  # an unknown tag raises now
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigurationError(f"{where}: not valid YAML: {_problem_of(error)}") from error
    return node


def _problem_of(error: yaml.YAMLError) -> str:
    problem, context = getattr(error, "problem", None), getattr(error, "context", None)
    if problem and context and problem.startswith("but "):  # the second half of a sentence
        return f"{context}, {problem}"
    return problem or str(error)


def _check_size(path: Path, document: yaml.Node | None) -> None:
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
                f"{path}:{line_of(node)}: {_TOO_DEEP}, by an alias (*) to the value that contains it"
            )
        if count > MOST_NODES:
            raise ConfigurationError(
                f"{path}:{line_of(node)}: its aliases (*) expand to over {MOST_NODES:,} values"
            )
        return count, depth

    if document is not None:
        measure(document, 1)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def value_of(node: yaml.Node | None) -> object:
    """The value of a node, as in `yaml.safe_load`."""
    return None if node is None else _Loader("").construct_document(node)


def pairs_of(node: yaml.MappingNode) -> list[tuple[yaml.Node, yaml.Node]]:
    """The keys and values of a mapping, after the merged ones (`<<: *defaults`) that it does not override."""
    merged = [part for part in reversed(merged_by(node)) if isinstance(part, yaml.MappingNode)]
    pairs = [pair for part in merged for pair in pairs_of(part)]
    pairs += [(key, value) for key, value in node.value if key.tag != MERGE]
    return list({_identity(key): (key, value) for key, value in pairs}.values())


def merged_by(node: yaml.MappingNode) -> list[yaml.Node]:
    """The merges of a mapping; the first one counts if two differ."""
    given = [value for key, value in node.value if key.tag == MERGE]
    return [part for value in given for part in (value.value if isinstance(value, yaml.SequenceNode) else [value])]


def _identity(key: yaml.Node) -> Hashable:
    """Equal for two keys of a mapping if they are the same key, also as one of Ruby's symbols."""
    return (key.tag, key.value.removeprefix(":")) if isinstance(key, yaml.ScalarNode) else id(key)


def _check_mappings(path: Path, document: yaml.Node | None) -> None:
    """Refuse duplicate keys, and merges of values that are not mappings, at any depth.

    Raises ConfigurationError.
    """
    nodes, seen = [document], set[int]()
    while nodes:
        node = nodes.pop()
        if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            _refuse_twins(path, [key for key, _ in node.value if key.tag != MERGE])
            _refuse_merges(path, node)
            nodes += [part for pair in node.value for part in pair]
        else:
            nodes += node.value


def _refuse_twins(path: Path, keys: Iterable[yaml.Node]) -> None:
    lines: dict[Hashable, int] = {}
    for key in keys:
        first = lines.get(_identity(key))
        if first is not None:
            raise ConfigurationError(
                f"{path}:{line_of(key)}: {key.value!r:.60} is already defined in line {first}"
            )
        lines[_identity(key)] = line_of(key)


def _refuse_merges(path: Path, node: yaml.MappingNode) -> None:
    for merged in merged_by(node):
        if not isinstance(merged, yaml.MappingNode) and not _is_null(merged):
            text = f"<< merges mappings, as in `<<: *defaults`, not {value_of(merged)!r:.40}"
            raise ConfigurationError(f"{path}:{line_of(merged)}: {text}")


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def line_of(node: yaml.Node) -> int:
    """The line of the node's start, from 1 on."""
    return int(node.start_mark.line) + 1


def is_sidekiqs(path: Path, keys: Iterable[str]) -> bool:
    """Whether a settings file with these keys is one of Sidekiq's own."""
    return path.stem == "sidekiq" or any(key.startswith(":") for key in keys)


def without_symbols(value: object) -> object:
    """Ruby's symbols as plain words, at any depth."""
    if isinstance(value, str):
        return value.removeprefix(":")
    if isinstance(value, list):
        return [without_symbols(item) for item in value]
    if isinstance(value, dict):
        return {str(without_symbols(key)): without_symbols(item) for key, item in value.items()}
    return value


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
