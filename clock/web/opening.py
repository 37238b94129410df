"""A dashboard from an application's own settings: what `clock web` serves, and what a framework mounts."""

from __future__ import annotations

import os
from pathlib import Path

from clock.config import Config, load_config
from clock.import_path import add_application
from clock.inspection.opening import connected, redis_clock, redis_location
from clock.rehearsal.sources import timetable_of
from clock.web.access import Gatekeeper
from clock.web.dashboard import Dashboard
from clock.web.reading.data import Source
from clock.web.traces import trace_url_in

CONNECTIONS = 10  # as many requests read at once; others wait a moment


def open_dashboard(
    *, access: Gatekeeper, clock_file: Path | str | None = None, redis: str | None = None
) -> Dashboard:
    """A dashboard to mount in an application: a framework mounts its `.asgi` or `.wsgi`.

    `access` decides, for each request, what the user may see and do: an `Access`, or None for no access.
    `clock_file` and `redis` override the environment and config/clock.yml. Raises ConfigurationError,
    DeclarationError, StoreUnavailable.
    """
    given = {"clock_file": None if clock_file is None else Path(clock_file), "redis": redis}
    config = load_config({name: value for name, value in given.items() if value is not None})
    return Dashboard(source_of(config, is_named=clock_file is not None), access=access)


def source_of(config: Config, *, is_named: bool = False) -> Source:
    """The dashboard of the application's settings. A clock file that `is_named` by the caller must exist.

    Raises DeclarationError, StoreUnavailable, StoreError, ConfigurationError.
    """
    redis = connected(config, CONNECTIONS)
    clock = redis_clock(redis)
    has_file = is_named or config.clock_file.exists() or bool(config.schedule)
    if has_file:
        add_application(config.clock_file)
    return Source(
        redis=redis,
        timetable=timetable_of(config) if has_file else None,
        clock=clock,
        url=config.redis or "",
        place=redis_location(config),
        trace_url=trace_url_in(os.environ),
    )
