"""Events in YAML, as plain data, in our own shape or that of sidekiq-cron and sidekiq-scheduler.

What the fields mean is the timetable's concern. Here they are found, with their lines:

- under `schedule` of the settings file, and of its section for the environment, whose events go before;
- in the file that the setting `schedule_file` names: under `schedule`, under `schedule` of `scheduler` (as
  sidekiq-scheduler has it), or at the top, by name or as a list of events with a `name` (as sidekiq-cron has it).

The `schedule` of a sidekiq.yml that is read for its other settings is left to Ruby, lest both run it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from clock.config.yaml_text import composed, is_sidekiqs, line_of, pairs_of, value_of, with_variables
from clock.errors import ConfigurationError

KEY = "schedule"
_WANTED = "the fields of an event are wanted, `cron: '0 6 * * *'` and `job: SendRemindersJob` for instance,"


@dataclass(frozen=True, slots=True)
class Declared:
    """An event of a YAML file: its name, its fields, and where it stands: `config/clock.yml:12`."""

    name: str
    values: Mapping[str, object]
    where: str


def events_of_settings(path: Path, *, environment: str, environ: Mapping[str, str]) -> tuple[Declared, ...]:
    """The events under `schedule` in the settings file. Raises ConfigurationError, with file and line."""
    document = composed(path)
    if isinstance(document, yaml.MappingNode) and is_sidekiqs(path, (str(key.value) for key, _ in document.value)):
        return ()
    top = _children(path, document)
    sections = (top.get(KEY), _children(path, top.get(environment)).get(KEY))
    found = {event.name: event for section in sections for event in _events(path, section, environ)}
    return tuple(found.values())


def events_of_file(path: Path, *, environ: Mapping[str, str]) -> tuple[Declared, ...]:
    """The events of a file that is there for them alone. Raises ConfigurationError, with file and line."""
    document = composed(path)
    top = _children(path, document)
    section = top.get(KEY) or _children(path, top.get("scheduler")).get(KEY) or document
    return tuple(_events(path, section, environ))


def _children(path: Path, node: yaml.Node | None) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {str(key.value).removeprefix(":"): value for key, value in pairs_of(path, node)}


def _events(path: Path, section: yaml.Node | None, environ: Mapping[str, str]) -> Iterator[Declared]:
    lines: dict[str, int] = {}
    for name, node, line in _named(path, section):
        where = f"{path}:{line}"
        if name in lines:
            raise ConfigurationError(f"{where}: {name!r} is there already, in line {lines[name]}")
        lines[name] = line
        values = _without_symbol_keys(value_of(node))
        if not isinstance(values, dict):
            raise ConfigurationError(f"{where}: {name!r}: {_WANTED} not {values!r:.40}")
        filled = {key: with_variables(value, environ, where) for key, value in values.items() if key != "name"}
        yield Declared(name, filled, where)


def _named(path: Path, section: yaml.Node | None) -> Iterator[tuple[str, yaml.Node, int]]:
    """(name, node of the fields, line) of each event in a mapping by name, or in a list."""
    if isinstance(section, yaml.MappingNode):
        for key, node in pairs_of(path, section):
            yield str(key.value).removeprefix(":"), node, line_of(key)
    elif isinstance(section, yaml.SequenceNode):
        for node in section.value:
            name = value_of(_children(path, node).get("name"))
            if not isinstance(name, str):
                raise ConfigurationError(f"{path}:{line_of(node)}: an event in a list needs a name")
            yield name, node, line_of(node)
    elif value_of(section) is not None:
        raise ConfigurationError(f"{path}: events by name are wanted under {KEY}, not {value_of(section)!r:.40}")


def _without_symbol_keys(value: object) -> object:
    """Ruby's symbols as plain words where they are keys; a text that begins with a colon stays."""
    if isinstance(value, list):
        return [_without_symbol_keys(item) for item in value]
    if isinstance(value, dict):
        return {str(key).removeprefix(":"): _without_symbol_keys(item) for key, item in value.items()}
    return value
