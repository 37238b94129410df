"""A YAML file's text as nodes, which know their lines; nothing in it is ever run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path

import yaml

from clock.errors import ConfigurationError

_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}")


class _Loader(yaml.SafeLoader):
    """Takes 16:20 for the text that it is, as YAML 1.2 does; by YAML 1.1 it is 980, a number to the base of 60."""


_INT = "tag:yaml.org,2002:int"
_MERGE = "tag:yaml.org,2002:merge"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != _INT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    _INT, re.compile(r"^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*)$"), list("-+0123456789")
)


def composed(path: Path) -> yaml.Node | None:
    """The file's document; None: it is empty. Raises ConfigurationError, with file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if "<%" in text:
        line = text[: text.index("<%")].count("\n") + 1
        raise ConfigurationError(f"{path}:{line}: <% is ERB, which only Ruby runs; write ${{NAME:-default}}")
    try:
        node: yaml.Node | None = yaml.compose(text, _Loader)
        value_of(node)  # an unknown tag is noticed now
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigurationError(f"{where}: no YAML: {getattr(error, 'problem', None) or error}") from error
    return node


def value_of(node: yaml.Node | None) -> object:
    """What a node stands for, as `yaml.safe_load` has it."""
    # Of a copy: where something is merged, the library would write it into the node.
    return None if node is None else yaml.SafeLoader("").construct_document(deepcopy(node))


def pairs_of(path: Path, node: yaml.MappingNode) -> list[tuple[yaml.Node, yaml.Node]]:
    """The keys and values of a mapping, and what it merges (`<<: *defaults`) where it does not say otherwise.

    Raises ConfigurationError where it has a key twice.
    """
    lines: dict[str, int] = {}
    for key in (key for key, _ in node.value if key.tag != _MERGE):
        if key.value in lines:
            raise ConfigurationError(
                f"{path}:{line_of(key)}: {key.value!r} is there already, in line {lines[key.value]}"
            )
        lines[key.value] = line_of(key)
    whole = deepcopy(node)
    yaml.SafeLoader("").flatten_mapping(whole)
    return list({key.value: (key, value) for key, value in whole.value}.values())  # what is merged comes first


def line_of(node: yaml.Node) -> int:
    """The line on which the node begins, from 1 on."""
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
                f"{where}: the environment has no {name}; set it, or give a default: ${{{name}:-...}}"
            )
        return str(default)

    return _REFERENCE.sub(replace, value)
