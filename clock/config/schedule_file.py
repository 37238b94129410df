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

from clock.config.settings import Declared
from clock.config.yaml_file import Fields, loaded, with_variables
from clock.errors import ConfigurationError

KEY = "schedule"
#: The first characters of the name of a template, which other mappings merge.
TEMPLATES = (".", "x-")
_WANTED = "expected the fields of an event, such as `cron: '0 6 * * *'` and `job: SendRemindersJob`,"


def events_of_settings(path: Path, *, environment: str, environ: Mapping[str, str]) -> tuple[Declared, ...]:
    """The events under `schedule` in the settings file. Raises ConfigurationError, with file and line."""
    top = _fields(loaded(path))
    if is_sidekiqs(path, top):
        return ()
    sections = (top.get(KEY), _fields(top.get(environment)).get(KEY))
    found = [event for section in sections for event in _Events(path, environment, environ).of(section)]
    return tuple({event.name: event for event in found}.values())


def events_of_file(path: Path, *, environment: str, environ: Mapping[str, str]) -> tuple[Declared, ...]:
    """The events of a file that contains only events. Raises ConfigurationError, with file and line."""
    document = loaded(path)
    top = _fields(document)
    holders = (top, _fields(top.get("scheduler")))
    section = next((holder[KEY] for holder in holders if KEY in holder), document)
    found = _Events(path, environment, environ, is_rubys=True).of(section)
    return tuple({event.name: event for event in found}.values())  # the environment's events come last


def is_sidekiqs(path: Path, document: Fields) -> bool:
    """Whether a settings file is one of Sidekiq's own."""
    return path.stem == "sidekiq" or document.has_symbols


def _fields(value: object) -> Fields:
    return value if isinstance(value, Fields) else Fields()


@dataclass(frozen=True, slots=True)
class _Events:
    """Reads the events of a section. `is_rubys`: the file may belong to one of Ruby's schedulers."""

    path: Path
    environment: str
    environ: Mapping[str, str]
    is_rubys: bool = False

    def of(self, section: object) -> Iterator[Declared]:
        """The events, those of the environment's own section last. Raises ConfigurationError."""
        lines: dict[str, int] = {}
        of_environment: list[Declared] = []
        for name, value, line in _named(self.path, section):
            if name in lines:
                raise ConfigurationError(
                    f"{self.path}:{line}: {name!r:.60} is already defined in line {lines[name]}"
                )
            lines[name] = line
            if _is_section(value):
                of_environment += self.of(value) if name == self.environment else ()
            elif not _is_template(name, value, _fields(section).merged):
                yield from self._event(name, value, f"{self.path}:{line}")
        yield from of_environment

    def _event(self, name: str, fields: object, where: str) -> Iterator[Declared]:
        if not isinstance(fields, Fields):
            raise ConfigurationError(f"{where}: {name!r:.60}: {_WANTED} not {fields!r:.40}")
        filled = {
            key: with_variables(value, self.environ, where) for key, value in fields.items() if key != "name"
        }
        if self.environment in _words(filled.pop("rails_env", self.environment)):
            is_rubys = (self.is_rubys and "job" not in filled) or not {"class", "klass"}.isdisjoint(filled)
            yield Declared(name, filled, where, is_rubys)


def _words(value: object) -> list[str]:
    """The words of a list, or of a text with commas or blanks between them."""
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text.replace(",", " ").replace(":", " ").split()


def _is_section(value: object) -> bool:
    """Whether a mapping contains events, not the fields of one event."""
    values = _fields(value).values()
    return bool(values) and all(isinstance(value, Fields) for value in values)


def _is_template(name: str, value: object, merged: set[str]) -> bool:
    """Whether an entry is not an event. `merged` are the names of the entries that others merge."""
    if name.startswith(TEMPLATES):
        return True
    return name in merged and {"every", "cron", "rrule", "sun", "interval"}.isdisjoint(_fields(value))


def _named(path: Path, section: object) -> Iterator[tuple[str, object, int]]:
    """(name, fields, line) of each event in a mapping by name, or in a list."""
    if isinstance(section, Fields):
        yield from ((name, value, section.lines[name]) for name, value in section.items())
    elif isinstance(section, list):
        for item in map(_fields, section):
            if not isinstance(item.get("name"), str):
                where = f"{path}:{item.line}" if item.line else path  # it is not a mapping
                raise ConfigurationError(f"{where}: an event in a list needs a name")
            yield item["name"], item, item.line
    elif section is not None:
        raise ConfigurationError(f"{path}: expected a mapping of events by name under {KEY}, not {section!r:.40}")
