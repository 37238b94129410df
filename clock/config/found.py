"""A setting's value with its source, checked against the table of settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clock.config.setting_types import Kind
from clock.config.settings import BY_NAME
from clock.errors import ConfigurationError
from clock.printable import closest

#: Settings that may hold passwords, and how errors describe an invalid value.
_SECRET = {"redis": "not a URL", "redis_urls": "not a list of URLs"}


@dataclass(frozen=True, slots=True)
class Found:
    """A setting's value, and its source in words."""

    name: str
    value: object
    source: str


def checked(name: str, value: object, source: str, *, kind: Kind | None = None) -> Found:
    """The setting with its value as its `kind` reads it, by default that of the table.

    Raises ConfigurationError, which names the source, the setting and what it accepts.
    """
    kind = kind or BY_NAME[name].kind
    try:
        return Found(name, kind.read(value), source)
    except (ValueError, TypeError):
        given = value if isinstance(value, tuple) else (value,)
        shown = _SECRET.get(name) or ", ".join(f"{item!r:.100}" for item in given[:20])
        raise ConfigurationError(f"{source}: {name} is {shown}; {kind.accepted}") from None


def unknown_setting(name: object, source: str, known: Iterable[str] = BY_NAME) -> ConfigurationError:
    """The error for a name that is not a setting. It suggests the closest one of `known`."""
    hint = closest(str(name).lower(), known, f"available: {', '.join(known)}")
    return ConfigurationError(f"{source}: unknown setting {name!r:.60}; {hint}")
