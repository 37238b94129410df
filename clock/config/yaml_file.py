"""Settings in YAML: `config/clock.yml`, or a `sidekiq.yml` as it stands.

A key whose value is a mapping, and that is no setting, is the section of an environment: its settings go before
the file's others where `CLOCK_ENV` names it. `${NAME}` in a value stands for an environment variable,
`${NAME:-default}` for one that may be missing or empty, `$${` for `${` itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from clock.config.schedule_file import KEY as SCHEDULE
from clock.config.settings import BY_NAME
from clock.config.yaml_text import composed, is_sidekiqs, value_of, with_variables, without_symbols
from clock.errors import ConfigurationError

#: What sidekiq.yml calls otherwise: its name -> ours.
_SIDEKIQ_NAMES = {"timeout": "stop_timeout"}

#: What sidekiq.yml says to Sidekiq alone: Ruby's code, its own files and its own ways.
_SIDEKIQ_ONLY = frozenset(
    """
    average_scheduled_poll_interval capsules daemon dead_max_jobs dead_timeout_in_seconds environment identity
    index labels lifecycle_events logfile max_retries pidfile poll_interval_average profile reloader require
    scheduler schedule strict tag verbose
    """.split()  # noqa: SIM905  # a paragraph of names reads better than a list of strings
)


@dataclass(frozen=True, slots=True)
class Given:
    """What a file says of a setting, and where: `config/clock.yml:3`."""

    name: str
    value: object
    where: str


def read(path: Path, *, environment: str, environ: Mapping[str, str]) -> dict[str, Given]:
    """What the file says in `environment`. Raises ConfigurationError, which begins with file and line."""
    top = _Mapping.of(path)
    sidekiq = is_sidekiqs(path, top.lines)
    given: dict[str, Given] = {}
    sections: dict[str, _Mapping] = {}
    for key, value, line in top.items(sidekiq):
        if key == SCHEDULE and not sidekiq:
            continue
        if isinstance(value, dict) and key not in BY_NAME and not (sidekiq and key in _SIDEKIQ_ONLY):
            near = get_close_matches(key, BY_NAME, 1, cutoff=0.8)
            if near:
                raise ConfigurationError(f"{path}:{line}: unknown setting {key!r}; did you mean {near[0]!r}?")
            sections[key] = _Mapping(path, value, top.lines_of_section(key, sidekiq))
        else:
            given |= _setting(path, key, value, line, sidekiq)
    for name, section in sections.items():
        for key, value, line in section.items(sidekiq):
            if key == SCHEDULE and not sidekiq:
                continue
            found = _setting(path, key, value, line, sidekiq)
            given |= found if name == environment else {}
    return {name: _filled(item, environ) for name, item in given.items()}


@dataclass(frozen=True, slots=True)
class _Mapping:
    path: Path
    content: Mapping[object, object]
    lines: Mapping[str, int]
    nodes: yaml.MappingNode | None = None

    @classmethod
    def of(cls, path: Path) -> _Mapping:
        node = composed(path)
        content: Any = value_of(node)
        if node is None:
            return cls(path, {}, {})
        if not isinstance(node, yaml.MappingNode):
            raise ConfigurationError(
                f"{path}: settings are wanted, `concurrency: 10` for instance, not {content!r:.40}"
            )
        return cls(path, content, _lines(path, node), node)

    def items(self, sidekiq: bool) -> Iterator[tuple[str, object, int]]:
        """(key, value, line), Ruby's symbols as plain words where it is a sidekiq.yml."""
        for key, value in self.content.items():
            line = self.lines.get(str(key), 1)
            yield (without_symbols(key), without_symbols(value), line) if sidekiq else (str(key), value, line)  # type: ignore[misc]  # a key stays a str

    def lines_of_section(self, name: str, sidekiq: bool) -> dict[str, int]:
        names = {name, f":{name}"} if sidekiq else {name}
        pairs: Iterable[tuple[yaml.Node, yaml.Node]] = self.nodes.value if self.nodes else ()
        for key, value in pairs:
            if isinstance(value, yaml.MappingNode) and str(key.value) in names:
                return _lines(self.path, value)
        return {}


def _lines(path: Path, node: yaml.MappingNode) -> dict[str, int]:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if str(key.value) in lines:
            first = lines[str(key.value)]
            raise ConfigurationError(f"{path}:{line}: {key.value!r} is there already, in line {first}")
        lines[str(key.value)] = line
    return lines


def _setting(path: Path, key: str, value: object, line: int, sidekiq: bool) -> dict[str, Given]:
    """The setting under the name that we have for it; none where it is for Sidekiq alone."""
    where = f"{path}:{line}"
    if sidekiq and key == "verbose" and value is True:
        return {"log_level": Given("log_level", "debug", where)}
    if sidekiq and key in _SIDEKIQ_ONLY:
        return {}
    name = _SIDEKIQ_NAMES.get(key, key) if sidekiq else key
    if name not in BY_NAME:
        near = get_close_matches(key, BY_NAME, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(BY_NAME)}"
        raise ConfigurationError(f"{where}: unknown setting {key!r}; {hint}")
    return {name: Given(name, value, where)}


def _filled(given: Given, environ: Mapping[str, str]) -> Given:
    return Given(given.name, with_variables(given.value, environ, given.where), given.where)
