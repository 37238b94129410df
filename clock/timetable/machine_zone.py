"""The machine's own time zone, for events and files that name none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

LOCALTIME = Path("/etc/localtime")


def machine_zone(environ: Mapping[str, str], localtime: Path = LOCALTIME) -> tzinfo:
    """The zone that `TZ` names, else the one that /etc/localtime links to, else UTC.

    >>> machine_zone({"TZ": "Europe/Berlin"})
    zoneinfo.ZoneInfo(key='Europe/Berlin')
    """
    _, _, linked = str(localtime.resolve()).partition("zoneinfo/")
    for name in (environ.get("TZ", "").lstrip(":"), linked):
        try:
            if name:
                return ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            continue
    return UTC
