"""Load the settings: from options, the environment, the application, the YAML file, the defaults."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from clock.config.setting_types import Kind
from clock.config.settings import BY_NAME, SETTINGS, Config, Declared, Found, checked, unknown_setting
from clock.errors import ConfigurationError
from clock.import_path import own_imports

DEFAULT_FILES = (Path("config/clock.yml"), Path("config/sidekiq.yml"))  # the first existing file

#: Variables that name the environment: the first set variable counts. Sidekiq's, after our own.
ENVIRONMENT_VARIABLES = ("CLOCK_ENV", "APP_ENV", "RAILS_ENV", "RACK_ENV")

_application: Mapping[str, Found] = {}  # the settings that it gives in Python, such as Django's `settings.CLOCK`
_refused = ""  # the error of an application whose settings are invalid


def load_config(
    options: Mapping[str, object], *, environ: Mapping[str, str] = os.environ, file: Path | None = None
) -> Config:
    """Load the settings; an option that is None was not given.

    `file` must exist if it is given; the default files may be missing. Raises ConfigurationError, which names the
    place of the invalid value and the accepted values.
    """
    found = {item.name: item for item in gather(options, environ=environ, file=file)}
    config = Config(**{name: item.value for name, item in found.items()})  # type: ignore[arg-type]  # checked by name
    if config.redis:
        config = replace(config, redis_source=found["redis"].source.removeprefix("the environment variable "))
    elif config.redis_urls:
        config = replace(config, redis=config.redis_urls[0], redis_source="REDIS_URLS")
    return replace(config, schedule=tuple(_schedule(config, environ, file_used(file))))


def _schedule(config: Config, environ: Mapping[str, str], file: Path | None) -> Iterator[Declared]:
    """The events that are declared in YAML: in the settings file, and in `schedule_file`."""
    if file is None and config.schedule_file is None:
        return
    with own_imports():
        from clock.config.schedule_file import (  # PyYAML, only if there is a file
            events_of_file,
            events_of_settings,
        )

    if file is not None:
        yield from events_of_settings(file, environment=environment(environ), environ=environ)
    if config.schedule_file is not None:
        yield from events_of_file(config.schedule_file, environment=environment(environ), environ=environ)


def gather(
    options: Mapping[str, object], *, environ: Mapping[str, str] = os.environ, file: Path | None = None
) -> list[Found]:
    """Every setting with its source, in their order. Raises ConfigurationError."""
    found = {setting.name: Found(setting.name, setting.default, "default") for setting in SETTINGS}
    found |= {item.name: item for item in _of_file(environ, file)}
    found |= of_application()
    for setting in SETTINGS:
        if setting.variable and environ.get(setting.variable):
            source = f"the environment variable {setting.variable}"
            found[setting.name] = checked(setting.name, environ[setting.variable], source)
    for name, value in options.items():
        if value is not None and value != ():
            found[name] = checked(name, value, f"the option {BY_NAME[name].option}")
    return list(found.values())


def found_of_process(name: str, environ: Mapping[str, str] = os.environ) -> Found:
    """A setting of a process that only pushes: of the environment, the application, the file, the defaults.

    No other setting is checked. Raises ConfigurationError.
    """
    application = of_application()
    variable = str(BY_NAME[name].variable)
    if environ.get(variable):
        return checked(name, environ[variable], f"the environment variable {variable}")
    if name in application:
        return application[name]
    in_file = _of_file(environ, None, name=name)
    return next(in_file, Found(name, BY_NAME[name].default, "default"))


def environment(environ: Mapping[str, str] = os.environ) -> str:
    """The name of the environment: `CLOCK_ENV`, or Ruby's variables, or else development."""
    return next((environ[name] for name in ENVIRONMENT_VARIABLES if environ.get(name)), "development")


def file_used(file: Path | None) -> Path | None:
    """The settings file; None: no file exists."""
    return file or next((path for path in DEFAULT_FILES if path.exists()), None)


def _of_file(environ: Mapping[str, str], file: Path | None, *, name: str = "") -> Iterator[Found]:
    """The settings of the file, or only that of a name: a file without this word is not parsed, to save time."""
    path = file_used(file)
    if path is None or not _mentions(path, name):
        return
    with own_imports():
        from clock.config.settings_file import read  # PyYAML, only if there is a file

    for given in read(path, environment=environment(environ), environ=environ).values():
        if name in ("", given.name):
            yield checked(given.name, given.value, given.source)


def _mentions(path: Path, name: str) -> bool:
    with suppress(OSError):  # a web server's user may not read it
        return not name or name in path.read_text(encoding="utf-8", errors="replace")
    return False


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
    global _application, _refused  # a process loads one application
    if not isinstance(given, Mapping):
        raise ConfigurationError(f'{source} is {given!r:.60}; it must be a dict: {{"redis": "redis://..."}}')
    own = own or {}
    for name in given:
        if name not in BY_NAME and name not in own:
            raise unknown_setting(name, source, [*BY_NAME, *own])
    values = {**(defaults or {}), **{name: value for name, value in given.items() if value is not None}}
    found = {name: _checked(name, value, source, own.get(name)) for name, value in values.items()}
    _application, _refused = {name: item for name, item in found.items() if name not in own}, ""
    return {name: found[name].value for name in own if name in found}


def add_to_application(name: str, value: object, source: str) -> None:
    """Set one more setting of the loaded application; the others stay. Raises ConfigurationError."""
    global _application
    _application = {**_application, name: _checked(name, value, source, None)}


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
    return _application


def _checked(name: str, value: object, source: str, kind: Kind | None) -> Found:
    if (name, value) == ("require", ()):
        return Found(name, (), source)
    return checked(name, value, source, kind=kind)
