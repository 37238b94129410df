"""The machine's own time zone, for clock files that name none.

`TZ` decides, else /etc/localtime, as for the C library. A zone that cannot be read is an error: with UTC instead,
all times of day would silently be those of another zone. The file's content is compared with its name, because a
bind mount of the host's /etc/localtime lands on the file that the container's link names.

A zone file is TZif (RFC 8536): which zone of the tz database it holds is found by its content.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, available_timezones

import tzdata  # early: the application's folders may have one of that name

from clock.errors import ConfigurationError
from clock.timetable.clock_file.zone_names import UTC_NAMES, zone_name

_ZONE_PATH = re.compile(r".*/zoneinfo[^/]*/(?:uclibc/)?(?P<name>.+)")
_COUNTED = re.compile(r"^(?:posix|right)/")  # the same zones, by both ways of counting leap seconds
_LINKS = 20  # more links than this are a circle
_NAME = re.compile(r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)[+-]?\d")  # the start of a POSIX TZ string
_FIRST = datetime(2000, 1, 1, 12, 34, tzinfo=UTC)
_SETTLED = datetime(2020, 1, 1, tzinfo=UTC)  # no release of the tz database changes the years before
_LAST = datetime(2037, 1, 1, tzinfo=UTC)  # fat files list their transitions up to this year
_DAMAGED = "it is truncated or damaged"
_STEP = timedelta(days=5)  # shorter than any time between two changes of offset


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
    if not value:  # UTC, as for the C library, but only if the machine names no other: the variable may be missing
        other = _of_localtime(root)
        if zone_name(other.zone) != "UTC":
            raise _unreadable(
                f"the environment variable TZ is empty, which means UTC, but /etc/localtime is {other.zone}"
            )
        return MachineZone(UTC, "the environment variable TZ is empty")
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
        return (root / "etc/timezone").read_text(encoding="utf-8", errors="replace").split("\n")[0].strip()
    except OSError:
        return ""


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


def zone_of_posix(text: str) -> tzinfo | None:
    """The zone of a POSIX `TZ` string, such as "CET-1CEST,M3.5.0,M10.5.0/3". None: it is invalid or incomplete."""
    if not _NAME.match(text):
        return None
    try:
        # A zone file that holds only the string: version 2, one local time type, no transitions.
        counts = b"".join(number.to_bytes(4, "big") for number in (0, 0, 0, 0, 1, 4))
        block = b"TZif2" + bytes(15) + counts + bytes(6) + b"UTC\0"
        zone = ZoneInfo.from_file(BytesIO(block + block + b"\n" + text.encode("ascii") + b"\n"), key=text)
        is_utc = "," not in text and not zone.utcoffset(_FIRST)
    except (ValueError, OverflowError):
        return None
    return UTC if is_utc else zone


def zone_of_content(content: bytes, linked: Sequence[str], noted: str, *, root: Path, file: Path) -> tzinfo:
    """The zone that a file holds: by name if a zone of the tz database has this content, or else made from it.

    `linked` are the names in the links to the file, `noted` is the one in /etc/timezone: each is used only if it
    agrees with the content. `file` is left out of the search below `root`: a bind mount may have put it in the
    place of a zone. Raises ValueError.
    """
    try:
        own = ZoneInfo.from_file(BytesIO(content), key=_rule_of(content))
    except (struct.error, AssertionError, IndexError) as error:
        raise ValueError(_DAMAGED) from error
    name = next((name for name in linked if agrees_with(name, own, _SETTLED)), "")
    if not name:
        aliases = [line.split()[2] for line in _table("zoneinfo/tzdata.zi").splitlines() if line.startswith("L ")]
        same = sorted(_names_of(content, root, file), key=lambda name: (name != noted, name in aliases, name))
        name = same[0] if same else noted
    if not name or (name == noted and not agrees_with(name, own, _LAST)):
        return zone_of_posix(str(own)) or own
    return UTC if name in UTC_NAMES else ZoneInfo(name)


def agrees_with(name: str, zone: tzinfo, until: datetime) -> bool:
    """Whether `zone` has the offsets that the tz database gives the zone `name`, from 2000 to `until`.

    Asks the tzdata package first, which no mount on this machine has changed.
    """
    content = _packaged(name)
    other = ZoneInfo(name) if content is None else ZoneInfo.from_file(BytesIO(content))
    at = _FIRST
    while at < until:
        if at.astimezone(other).utcoffset() != at.astimezone(zone).utcoffset():
            return False
        at += _STEP
    return True


def _rule_of(content: bytes) -> str:
    """The POSIX string at the end of a zone file: alike in every release, and in fat and slim files."""
    if not content.startswith(b"TZif"):
        raise ValueError("it is not a time zone file")
    if content[4:5] < b"2":  # version 1 has no rule
        return "localtime"
    if not content.endswith(b"\n"):  # zoneinfo would look for the line's end for ever
        raise ValueError(_DAMAGED)
    return content.rstrip(b"\n").rpartition(b"\n")[2].decode("ascii", "replace") or "localtime"


def _names_of(content: bytes, root: Path, file: Path) -> Iterator[str]:
    folders = [root / folder.lstrip("/") for folder in TZPATH]
    for name in _table("zones").split():
        if any(_has(folder / name, content, file) for folder in folders) or _packaged(name) == content:
            yield name


def _has(path: Path, content: bytes, file: Path) -> bool:
    try:
        return path.stat().st_size == len(content) and not path.samefile(file) and path.read_bytes() == content
    except OSError:
        return False


def _packaged(name: str) -> bytes | None:
    try:
        return files(tzdata).joinpath("zoneinfo", name).read_bytes()
    except OSError:
        return None


@lru_cache(maxsize=2)
def _table(name: str) -> str:
    try:
        return files(tzdata).joinpath(name).read_text(encoding="utf-8")
    except OSError:
        return ""
