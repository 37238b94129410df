"""Events in YAML, as plain data, in our own shape or that of sidekiq-cron and sidekiq-scheduler.

The timetable interprets the fields. This module finds them, with their lines:

- under `schedule` of the settings file, and of its section for the environment, whose events override the others;
- in the file that the setting `schedule_file` names: under `schedule`, under `schedule` of `scheduler` (as
  sidekiq-scheduler has it), or at the top, by name or as a list of events with a `name` (as sidekiq-cron has it).

A mapping whose values are all mappings is the section of an environment: its events count if `CLOCK_ENV` names it.
Templates are not events: names that start with a dot or `x-`, and mappings without a schedule that others merge.

The `schedule` of a sidekiq.yml that is read for its other settings is left to Ruby, because otherwise both would
run it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from clock.config.settings import Declared
from clock.config.yaml_nodes import composed, is_sidekiqs, line_of, merged_by, pairs_of, value_of, with_variables
from clock.errors import ConfigurationError

KEY = "schedule"
#: The first characters of the name of a template, which other mappings merge.
TEMPLATES = (".", "x-")
_WANTED = "expected the fields of an event, such as `cron: '0 6 * * *'` and `job: SendRemindersJob`,"


def events_of_settings(path: Path, *, environment: str, environ: Mapping[str, str]) -> tuple[Declared, ...]:
    """The events under `schedule` in the settings file. Raises ConfigurationError, with file and line."""
    document = composed(path)
    if isinstance(document, yaml.MappingNode) and is_sidekiqs(path, (str(key.value) for key, _ in document.value)):
        return ()
    top = _children(document)
    sections = (top.get(KEY), _children(top.get(environment)).get(KEY))
    found = [event for section in sections for event in _Events(path, environment, environ).of(section)]
    return tuple({event.name: event for event in found}.values())


def events_of_file(path: Path, *, environment: str, environ: Mapping[str, str]) -> tuple[Declared, ...]:
    """The events of a file that contains only events. Raises ConfigurationError, with file and line."""
    document = composed(path)
    top = _children(document)
    section = top.get(KEY) or _children(top.get("scheduler")).get(KEY) or document
    found = _Events(path, environment, environ, is_rubys=True).of(section)
    return tuple({event.name: event for event in found}.values())  # the environment's events come last


def _children(node: yaml.Node | None) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {str(key.value).removeprefix(":"): value for key, value in pairs_of(node)}


@dataclass(frozen=True, slots=True)
class _Events:
    """Reads the events of a section. `is_rubys`: the file may belong to one of Ruby's schedulers."""

    path: Path
    environment: str
    environ: Mapping[str, str]
    is_rubys: bool = False

    def of(self, section: yaml.Node | None) -> Iterator[Declared]:
        """The events, those of the environment's own section last. Raises ConfigurationError."""
        lines: dict[str, int] = {}
        of_environment: list[Declared] = []
        merged = _merged_by_events(section)
        for name, node, line in _named(self.path, section):
            if name in lines:
                raise ConfigurationError(
                    f"{self.path}:{line}: {name!r:.60} is already defined in line {lines[name]}"
                )
            lines[name] = line
            if _is_section(node):
                of_environment += self.of(node) if name == self.environment else ()
            elif not _is_template(name, node, merged):
                yield from self._event(name, node, f"{self.path}:{line}")
        yield from of_environment

    def _event(self, name: str, node: yaml.Node, where: str) -> Iterator[Declared]:
        values = _without_symbol_keys(value_of(node))
        if not isinstance(values, dict):
            raise ConfigurationError(f"{where}: {name!r:.60}: {_WANTED} not {values!r:.40}")
        filled = {
            key: with_variables(value, self.environ, where) for key, value in values.items() if key != "name"
        }
        if self.environment in _words(filled.pop("rails_env", self.environment)):
            is_rubys = (self.is_rubys and "job" not in filled) or not {"class", "klass"}.isdisjoint(filled)
            yield Declared(name, filled, where, is_rubys)


def _words(value: object) -> list[str]:
    """The words of a list, or of a text with commas or blanks between them."""
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text.replace(",", " ").replace(":", " ").split()


def _is_section(node: yaml.Node) -> bool:
    """Whether a mapping contains events, not the fields of one event."""
    values = [value for _, value in pairs_of(node)] if isinstance(node, yaml.MappingNode) else []
    return bool(values) and all(isinstance(value, yaml.MappingNode) for value in values)


def _is_template(name: str, node: yaml.Node, merged: frozenset[int]) -> bool:
    """Whether an entry is not an event. `merged` are the ids of the nodes that events merge."""
    if name.startswith(TEMPLATES):
        return True
    return id(node) in merged and {"every", "cron", "rrule", "sun", "interval"}.isdisjoint(_children(node))


def _merged_by_events(section: yaml.Node | None) -> frozenset[int]:
    """The ids of the nodes that entries of a section merge: `<<: *defaults`."""
    values = [value for _, value in section.value] if isinstance(section, yaml.MappingNode) else []
    events = [value for value in values if isinstance(value, yaml.MappingNode)]
    return frozenset(id(merged) for event in events for merged in merged_by(event))


def _named(path: Path, section: yaml.Node | None) -> Iterator[tuple[str, yaml.Node, int]]:
    """(name, node of the fields, line) of each event in a mapping by name, or in a list."""
    if isinstance(section, yaml.MappingNode):
        for key, node in pairs_of(section):
            yield str(key.value).removeprefix(":"), node, line_of(key)
    elif isinstance(section, yaml.SequenceNode):
        for node in section.value:
            name = value_of(_children(node).get("name"))
            if not isinstance(name, str):
                raise ConfigurationError(f"{path}:{line_of(node)}: an event in a list needs a name")
            yield name, node, line_of(node)
    elif value_of(section) is not None:
        raise ConfigurationError(
            f"{path}: expected a mapping of events by name under {KEY}, not {value_of(section)!r:.40}"
        )


def _without_symbol_keys(value: object) -> object:
    """Ruby's symbols as plain words if they are keys; a text that starts with a colon stays."""
    if isinstance(value, list):
        return [_without_symbol_keys(item) for item in value]
    if isinstance(value, dict):
        return {str(key).removeprefix(":"): _without_symbol_keys(item) for key, item in value.items()}
    return value
