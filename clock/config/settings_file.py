"""Settings in YAML: `config/clock.yml`, or an unchanged `sidekiq.yml`.

A key whose value is a mapping, and that is not a setting, is the section of an environment: its settings override
the file's others if `CLOCK_ENV` names it. `${NAME}` in a value is replaced by an environment variable,
`${NAME:-default}` by a variable that may be missing or empty, `$${` by `${` itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import yaml

from clock.config.schedule_file import KEY as SCHEDULE
from clock.config.schedule_file import TEMPLATES
from clock.config.settings import BY_NAME, Found, unknown_setting
from clock.config.yaml_nodes import (
    composed,
    is_sidekiqs,
    line_of,
    pairs_of,
    value_of,
    with_variables,
    without_symbols,
)
from clock.errors import ConfigurationError

#: Settings with another name in sidekiq.yml: its name -> ours.
_SIDEKIQ_NAMES = {"timeout": "stop_timeout", "dead_timeout_in_seconds": "dead_timeout"}

#: Settings that only concern Sidekiq: Ruby's code, its files and its behaviour.
_SIDEKIQ_ONLY = frozenset(
    """
    average_scheduled_poll_interval daemon environment identity
    index labels lifecycle_events logfile pidfile poll_interval_average profile reloader require
    scheduler schedule strict tag verbose
    """.split()  # noqa: SIM905  # a paragraph of names reads better than a list of strings
)


def read(path: Path, *, environment: str, environ: Mapping[str, str]) -> dict[str, Found]:
    """The settings of the file in `environment`, with sources such as `config/clock.yml:3`; none is checked.

    Raises ConfigurationError, which starts with file and line.
    """
    document = composed(path)
    if document is None:
        return {}
    if not isinstance(document, yaml.MappingNode):
        raise ConfigurationError(
            f"{path}: expected settings, such as `concurrency: 10`, not {value_of(document)!r:.40}"
        )
    sidekiq = is_sidekiqs(path, (str(key.value) for key, _ in document.value))
    given: dict[str, Found] = {}
    sections: dict[str, yaml.MappingNode] = {}
    for key, node, where in _entries(path, document, sidekiq):
        if isinstance(node, yaml.MappingNode) and _is_section(key, where, sidekiq):
            sections[key] = node
        else:
            _add(given, _setting(key, node, where, sidekiq))
    for name, section in sections.items():
        own: dict[str, Found] = {}
        for entry in _entries(path, section, sidekiq):  # checked in any case
            _add(own, _setting(*entry, sidekiq))
        given |= own if name == environment else {}
    return {
        name: replace(item, value=with_variables(item.value, environ, item.source)) for name, item in given.items()
    }


def _entries(path: Path, mapping: yaml.MappingNode, sidekiq: bool) -> Iterator[tuple[str, yaml.Node, str]]:
    """(key, node of the value, place) of a mapping, without templates and the events of `schedule_file`."""
    for key, node in pairs_of(mapping):
        name = str(key.value).removeprefix(":") if sidekiq else str(key.value)
        if name != SCHEDULE and not name.startswith(TEMPLATES):
            yield name, node, f"{path}:{line_of(key)}"


def _is_section(key: str, where: str, sidekiq: bool) -> bool:
    """Whether a mapping is an environment's section. Raises ConfigurationError for a setting that is misspelt."""
    if key in BY_NAME or (sidekiq and key in _SIDEKIQ_ONLY):
        return False
    if get_close_matches(key, BY_NAME, 1, cutoff=0.8):
        raise unknown_setting(key, where)
    return True


def _setting(key: str, node: yaml.Node, where: str, sidekiq: bool) -> dict[str, Found]:
    """The setting under our name; empty if it only concerns Sidekiq."""
    value = without_symbols(value_of(node)) if sidekiq else value_of(node)
    if sidekiq and key == "verbose" and value is True:
        return {"log_level": Found("log_level", "debug", where)}
    if sidekiq and key in _SIDEKIQ_ONLY:
        return {}
    name = _SIDEKIQ_NAMES.get(key, key) if sidekiq else key
    if name not in BY_NAME:
        raise unknown_setting(key, where)
    return {name: Found(name, value, where)}


def _add(given: dict[str, Found], found: Mapping[str, Found]) -> None:
    """Add a setting. Raises ConfigurationError if it is already there under its other name."""
    for name, setting in found.items():
        if name in given:
            raise ConfigurationError(
                f"{setting.source}: sets {name}, which {given[name].source} sets too; remove one"
            )
        given[name] = setting
