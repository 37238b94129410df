"""The machine's own time zone, for clock files that name none.

`TZ` decides, else /etc/localtime, as for the C library. A zone that cannot be read is an error: with UTC instead,
all times of day would silently be those of another zone. The file's content is compared with its name, because a
bind mount of the host's /etc/localtime lands on the file that the container's link names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from difflib import get_close_matches
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from clock.errors import ConfigurationError
from clock.timetable.clock_file.zones.zone_files import zone_name, zone_of_content, zone_of_posix

_ZONE_PATH = re.compile(r".*/zoneinfo[^/]*/(?:uclibc/)?(?P<name>.+)")
_COUNTED = re.compile(r"^(?:posix|right)/")  # the same zones, by both ways of counting leap seconds
_LINKS = 20  # more links than this are a circle


@dataclass(frozen=True, slots=True)
class MachineZone:
    """The zone, and its source in words."""

    zone: tzinfo
    source: str


def machine_zone(environ: Mapping[str, str], root: Path = Path("/")) -> MachineZone:
    """The zone that `TZ` or /etc/localtime names or holds; UTC if there is neither.

    `root` is the folder in place of / (tests). Raises ConfigurationError if the zone cannot be read.
    """
    if "TZ" not in environ:
        return _of_localtime(root)
    value = _COUNTED.sub("", environ["TZ"].removeprefix(":"))
    if not value:
        return _of_empty_tz(root)
    if value == "localtime":  # many zoneinfo folders link that
        value = "/etc/localtime"
    is_path = value.startswith("/")
    zone = _of_file(root / value.lstrip("/"), root) if is_path else _named(value) or zone_of_posix(value)
    if zone is None:
        near = get_close_matches(value, available_timezones(), 1)
        hint = "".join(f" (did you mean {name!r}?)" for name in near)
        raise _unreadable(
            f"the environment variable TZ is {environ['TZ']!r}, which is not in the tz database{hint}"
        )
    return MachineZone(zone, "from the environment variable TZ")


def _of_localtime(root: Path) -> MachineZone:
    file = root / "etc/localtime"
    if os.path.lexists(file):
        return MachineZone(_of_file(file, root), "from /etc/localtime")
    named = _etc_timezone(root)
    if zone_name(_named(named) or UTC) != "UTC":
        raise _unreadable(f"/etc/localtime is missing, which means UTC, but /etc/timezone names {named}")
    return MachineZone(UTC, "/etc/localtime is missing")


def _of_empty_tz(root: Path) -> MachineZone:
    """UTC, as for the C library, but only if the machine names no other: the variable may be missing."""
    other = _of_localtime(root)
    if zone_name(other.zone) != "UTC":
        raise _unreadable(
            f"the environment variable TZ is empty, which means UTC, but /etc/localtime is {other.zone}"
        )
    return MachineZone(UTC, "the environment variable TZ is empty")


def _of_file(file: Path, root: Path) -> tzinfo:
    names, target = _names_of_links(file, root)
    try:
        content = target.read_bytes()
    except FileNotFoundError:
        found = next(filter(None, map(_named, names)), None)  # the image has no tz database; ours has the zone
        if found is None:
            raise _unreadable(f"{_shown(file, root)} points to {_shown(target, root)}, which is missing") from None
        return found
    except OSError as error:
        raise _unreadable(f"{_shown(target, root)} cannot be read: {error.strerror}") from None
    linked, noted = list(filter(_named, names)), _etc_timezone(root)
    try:
        return zone_of_content(content, linked, noted if _named(noted) else "", root=root, file=target)
    except ValueError as error:
        raise _unreadable(f"{_shown(target, root)} cannot be read: {error}") from None


def _names_of_links(file: Path, root: Path) -> tuple[list[str], Path]:
    """The names of zones among the paths of a chain of links, the chosen name first; and the last path."""
    names = []
    for _ in range(_LINKS):
        match = _ZONE_PATH.fullmatch(str(file))
        names += [_COUNTED.sub("", match["name"])] if match else []
        if not file.is_symlink():
            return names, file
        link = file.readlink()
        file = root / str(link).lstrip("/") if link.is_absolute() else file.parent / link
    raise _unreadable(f"{_shown(file, root)} is a circular link")


def _etc_timezone(root: Path) -> str:
    """The first line of /etc/timezone; "" if it is missing or empty."""
    try:
        lines = (root / "etc/timezone").read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return lines[0].strip()


def _named(name: str) -> tzinfo | None:
    """The zone of that name in the tz database; None: it has none."""
    try:
        zone = ZoneInfo(name) if name else None
    except (ValueError, OSError, KeyError):
        return None
    return UTC if zone is not None and zone_name(zone) == "UTC" else zone


def _shown(file: Path, root: Path) -> str:
    return f"/{file.relative_to(root)}" if file.is_relative_to(root) else str(file)


def _unreadable(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{why}; set TZ to the machine's zone, TZ=Europe/Berlin, or write "
        'configure(tz="Europe/Berlin") in the clock file'
    )
