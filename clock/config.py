"""Settings: from options, then the environment, then `config/clock.yml`, then the defaults."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from clock.errors import ConfigurationError

DEFAULT_FILE = Path("config/clock.yml")


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of a process. `queues` are (name, weight) in order, weight 0 for a strict order."""

    redis: str | None = None
    clock_file: Path = Path("lib/clock.py")
    require: Path = Path("jobs")
    queues: tuple[tuple[str, int], ...] = (("default", 0),)
    concurrency: int = 10
    stop_timeout: float = 25.0
    log_format: str = "text"
    log_level: str = "info"


def load_config(
    options: Mapping[str, object], *, environ: Mapping[str, str] = os.environ, file: Path | None = None
) -> Config:
    """Put the settings together; options that are None were not given.

    `file` must exist where it is given; `config/clock.yml` need not. Raises ConfigurationError, which says where
    the bad value stands and what is accepted.
    """
    found: dict[str, object] = {}
    path = file or DEFAULT_FILE
    if file is not None or path.exists():
        for key, value in _read(path).items():
            found[key] = _checked(key, value, str(path))
    for variable, key in _VARIABLES.items():
        if environ.get(variable):
            found[key] = _checked(key, environ[variable], f"the environment variable {variable}")
    for key, value in options.items():
        if value is not None and value != ():
            found[key] = _checked(key, value, f"the option {_OPTION_NAMES[key]}")
    return Config(**found)  # type: ignore[arg-type]  # each value has been checked for its key


_VARIABLES = {
    "REDIS_URL": "redis",
    "CLOCK_CONCURRENCY": "concurrency",
    "CLOCK_LOG_FORMAT": "log_format",
    "CLOCK_LOG_LEVEL": "log_level",
}

_OPTION_NAMES = {
    "redis": "--redis",
    "clock_file": "CLOCK_FILE",
    "require": "--require",
    "queues": "--queue",
    "concurrency": "--concurrency",
    "stop_timeout": "--timeout",
    "log_format": "--log-format",
    "log_level": "--log-level",
}


def _read(path: Path) -> Mapping[str, object]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigurationError(f"{where}: no YAML: {getattr(error, 'problem', None) or error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"{path}: settings are wanted, `concurrency: 10` for instance, not {content!r:.40}"
        )
    known = [field.name for field in fields(Config)]
    for key in content:
        if key not in known:
            near = get_close_matches(str(key), known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise ConfigurationError(f"{path}:{_line_of(path, key)}: unknown setting {key!r}; {hint}")
    return content


def _line_of(path: Path, key: object) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.startswith(f"{key}")), 1)


def _checked(key: str, value: object, where: str) -> Any:
    try:
        return _READERS[key](value)
    except (ValueError, TypeError):
        shown = "no URL" if key == "redis" else repr(value)
        raise ConfigurationError(f"{where}: {key} is {shown}; {_ACCEPTED[key]}") from None


def _count(value: object) -> int:
    if isinstance(value, bool) or int(str(value)) < 1:
        raise ValueError
    return int(str(value))


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not 0 <= float(str(value)) < 86_400:
        raise ValueError
    return float(str(value))


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _path(value: object) -> Path:
    return value if isinstance(value, Path) else Path(_text(value))


def _one_of(*words: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if _text(value).lower() not in words:
            raise ValueError
        return _text(value).lower()

    return read


def _queues(value: object) -> tuple[tuple[str, int], ...]:
    """`[critical, default]`; with weights `[[critical, 4], [default, 1]]`, or as options `critical,4`."""
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError
    return tuple(_queue(item) for item in value)


def _queue(item: object) -> tuple[str, int]:
    name, weight = item if isinstance(item, (list, tuple)) else (*_text(item).split(","), 0)[:2]
    if not _text(name).strip() or isinstance(weight, bool) or int(str(weight)) < 0:
        raise ValueError
    return _text(name).strip(), int(str(weight))


_READERS: dict[str, Callable[[object], object]] = {
    "redis": _text,
    "clock_file": _path,
    "require": _path,
    "queues": _queues,
    "concurrency": _count,
    "stop_timeout": _seconds,
    "log_format": _one_of("text", "json"),
    "log_level": _one_of("debug", "info", "warning", "error"),
}

_ACCEPTED = {
    "redis": "a URL is wanted: redis://host:6379/0",
    "clock_file": "a path is wanted: lib/clock.py",
    "require": "a folder is wanted: jobs",
    "queues": "a list is wanted: [critical, default], or [[critical, 4], [default, 1]] with weights",
    "concurrency": "a whole number above 0 is wanted",
    "stop_timeout": "seconds are wanted, from 0 to a day",
    "log_format": "text or json is wanted",
    "log_level": "debug, info, warning or error is wanted",
}
