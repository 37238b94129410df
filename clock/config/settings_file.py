"""Settings in YAML: `config/clock.yml`, or an unchanged `sidekiq.yml`.

A key whose value is a mapping, and that is not a setting, is the section of an environment: its settings override
the file's others if `CLOCK_ENV` names it. `${NAME}` in a value is replaced by an environment variable,
`${NAME:-default}` by a variable that may be missing or empty, `$${` by `${` itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from clock.config.schedule_file import KEY as SCHEDULE
from clock.config.schedule_file import TEMPLATES, is_sidekiqs
from clock.config.settings import BY_NAME, Found, unknown_setting
from clock.config.yaml_file import Fields, loaded, with_variables
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
    document = loaded(path)
    if document is None:
        return {}
    if not isinstance(document, Fields):
        raise ConfigurationError(f"{path}: expected settings, such as `concurrency: 10`, not {document!r:.40}")
    is_sidekiq = is_sidekiqs(path, document)
    sections = [name for name in document if _is_section(path, document, name, is_sidekiq)]
    given = _settings(path, document, is_sidekiq, without=sections)
    for name in sections:
        own = _settings(path, document[name], is_sidekiq)  # checked in any case
        given |= own if name == environment else {}
    return {
        name: replace(item, value=with_variables(item.value, environ, item.source)) for name, item in given.items()
    }


def _is_section(path: Path, document: Fields, key: str, is_sidekiq: bool) -> bool:
    """Whether a value is an environment's section. Raises ConfigurationError for a setting that is misspelt."""
    is_other = key in BY_NAME or (is_sidekiq and key in _SIDEKIQ_ONLY) or _is_of_events(key)
    if is_other or not isinstance(document[key], Fields):
        return False
    if get_close_matches(key, BY_NAME, 1, cutoff=0.8):
        raise unknown_setting(key, f"{path}:{document.lines[key]}")
    return True


def _is_of_events(key: str) -> bool:
    return key == SCHEDULE or key.startswith(TEMPLATES)


def _settings(path: Path, fields: Fields, is_sidekiq: bool, *, without: Sequence[str] = ()) -> dict[str, Found]:
    """The settings of a mapping under our names. Raises ConfigurationError for unknown names and duplicates."""
    found: dict[str, Found] = {}
    for key, value in fields.items():
        name, where = key, f"{path}:{fields.lines[key]}"
        if key in without or _is_of_events(key):
            continue
        if is_sidekiq and key == "verbose" and value is True:
            name, value = "log_level", "debug"
        elif is_sidekiq and key in _SIDEKIQ_ONLY:
            continue
        elif is_sidekiq:
            name, value = _SIDEKIQ_NAMES.get(key, key), _without_symbols(value)
        if name not in BY_NAME:
            raise unknown_setting(key, where)
        if name in found:
            raise ConfigurationError(f"{where}: sets {name}, which {found[name].source} sets too; remove one")
        found[name] = Found(name, value, where)
    return found


def _without_symbols(value: object) -> object:
    """Ruby's symbols as plain words, at any depth."""
    if isinstance(value, str):
        return value.removeprefix(":")
    if isinstance(value, list):
        return [_without_symbols(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_symbols(item) for key, item in value.items()}
    return value
