"""The settings that the loaded application gives in Python, such as Django's `settings.CLOCK`."""

from __future__ import annotations

from collections.abc import Mapping

from clock.config.found import Found, checked, unknown_setting
from clock.config.setting_types import Kind
from clock.config.settings import BY_NAME
from clock.errors import ConfigurationError

_found: Mapping[str, Found] = {}
_refused = ""  # the error of an application whose settings are invalid


def use_application(
    given: object,
    source: str,
    *,
    own: Mapping[str, Kind] | None = None,
    defaults: Mapping[str, object] | None = None,
) -> Mapping[str, object]:
    """Set settings of the loaded application, which override those of the settings file.

    `given` is a dict of settings; a value of None counts as not given. `own` are the types of further settings,
    which belong to the framework; their values are returned. `defaults` are used for settings that are not given.
    An empty `require` means no folder. The settings replace those of an earlier call.

    Raises ConfigurationError, which names `source`, the setting and what it accepts, and changes nothing.
    """
    global _found, _refused  # a process loads one application
    if not isinstance(given, Mapping):
        raise ConfigurationError(f'{source} is {given!r:.60}; it must be a dict: {{"redis": "redis://..."}}')
    own = own or {}
    for name in given:
        if name not in BY_NAME and name not in own:
            raise unknown_setting(name, source, [*BY_NAME, *own])
    values = {**(defaults or {}), **{name: value for name, value in given.items() if value is not None}}
    found = {name: _checked(name, value, source, own.get(name)) for name, value in values.items()}
    _found, _refused = {name: item for name, item in found.items() if name not in own}, ""
    return {name: found[name].value for name in own if name in found}


def add_to_application(name: str, value: object, source: str) -> None:
    """Set one more setting of the loaded application; the others stay. Raises ConfigurationError."""
    global _found
    _found = {**_found, name: _checked(name, value, source, None)}


def refuse_application(error: ConfigurationError) -> None:
    """Make each later use of a setting raise this error, until `use_application` succeeds.

    The process may go on with invalid settings, as Django's shell does, but must not push to another server.
    """
    global _refused
    _refused = str(error)


def of_application() -> Mapping[str, Found]:
    """The settings of the application. Raises ConfigurationError if they are invalid."""
    if _refused:
        raise ConfigurationError(_refused)
    return _found


def _checked(name: str, value: object, source: str, kind: Kind | None) -> Found:
    if (name, value) == ("require", ()):
        return Found(name, (), source)
    return checked(name, value, source, kind=kind)
