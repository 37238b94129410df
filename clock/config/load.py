"""Load the settings: from options, the environment, the application, the YAML file, the defaults."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from clock.config.application import of_application
from clock.config.found import Found, checked
from clock.config.settings import BY_NAME, SETTINGS, Config, Declared
from clock.import_path import own_imports

DEFAULT_FILES = (Path("config/clock.yml"), Path("config/sidekiq.yml"))  # the first existing file

#: Variables that name the environment: the first set variable counts. Sidekiq's, after our own.
ENVIRONMENT_VARIABLES = ("CLOCK_ENV", "APP_ENV", "RAILS_ENV", "RACK_ENV")


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
    found |= {item.name: item for item in _of_environment(environ)}
    found |= {item.name: item for item in _of_options(options)}
    return list(found.values())


def setting_of_process(name: str, environ: Mapping[str, str] = os.environ) -> object:
    """The value of `found_of_process`. Raises ConfigurationError."""
    return found_of_process(name, environ).value


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
    in_file = _of_file_if_it_names(name, environ)
    return next(in_file, Found(name, BY_NAME[name].default, "default"))


def environment(environ: Mapping[str, str] = os.environ) -> str:
    """The name of the environment: `CLOCK_ENV`, or Ruby's variables, or else development."""
    return next((environ[name] for name in ENVIRONMENT_VARIABLES if environ.get(name)), "development")


def file_used(file: Path | None) -> Path | None:
    """The settings file; None: no file exists."""
    return file or next((path for path in DEFAULT_FILES if path.exists()), None)


def _of_file(environ: Mapping[str, str], file: Path | None) -> Iterator[Found]:
    path = file_used(file)
    if path is not None:
        for given in _read(path, environ).values():
            yield checked(given.name, given.value, given.source)


def _of_file_if_it_names(name: str, environ: Mapping[str, str]) -> Iterator[Found]:
    """One setting of the default file, which is parsed only if it has that word: each process would pay for it."""
    path, text = file_used(None), ""
    if path is not None:
        with suppress(OSError):  # a web server's user may not read it
            text = path.read_text(encoding="utf-8", errors="replace")
    if path is not None and name in text:
        given = _read(path, environ).get(name)
        if given is not None:
            yield checked(name, given.value, given.source)


def _read(path: Path, environ: Mapping[str, str]) -> Mapping[str, Found]:
    with own_imports():
        from clock.config.settings_file import read  # PyYAML, only if there is a file

    return read(path, environment=environment(environ), environ=environ)


def _of_environment(environ: Mapping[str, str]) -> Iterator[Found]:
    for setting in SETTINGS:
        if setting.variable and environ.get(setting.variable):
            yield checked(setting.name, environ[setting.variable], f"the environment variable {setting.variable}")


def _of_options(options: Mapping[str, object]) -> Iterator[Found]:
    for name, value in options.items():
        if value is not None and value != ():
            yield checked(name, value, f"the option {BY_NAME[name].option}")
