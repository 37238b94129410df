"""The machine's own time zone, for events and files that name none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from clock.errors import ConfigurationError

LOCALTIME = Path("/etc/localtime")


def machine_zone(environ: Mapping[str, str], localtime: Path = LOCALTIME) -> tzinfo:
    """The zone that `TZ` names, else the one that /etc/localtime links to, else UTC.

    Raises ConfigurationError where `TZ` names none: all times of day would silently be those of another zone.

    >>> machine_zone({"TZ": "Europe/Berlin"})
    zoneinfo.ZoneInfo(key='Europe/Berlin')
    """
    named = environ.get("TZ", "").lstrip(":")
    if named.startswith("/"):
        localtime = Path(named)
    elif named:
        try:
            return ZoneInfo(named)
        except (ValueError, OSError, KeyError):
            raise ConfigurationError(
                f"the environment variable TZ is {named!r}, which is no name of the tz database; set it to one, "
                'TZ=Europe/Berlin, or say configure(tz="Europe/Berlin") in the clock file'
            ) from None
    _, _, linked = str(localtime.resolve()).partition("zoneinfo/")
    try:
        return ZoneInfo(linked) if linked else UTC
    except (ValueError, OSError, KeyError):
        return UTC
