"""Zone files (TZif, RFC 8536): which zone of the tz database a file holds; zones made from POSIX `TZ` strings."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

import tzdata  # early: the application's folders may have one of that name

#: All names of UTC in the tz database, and those of Greenwich's fixed zone, whose offset is always 0 as well.
_UTC_NAMES = frozenset({
    "UTC", "UCT", "Universal", "Zulu", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu",
    "GMT", "GMT0", "GMT+0", "GMT-0", "Greenwich", "Etc/GMT", "Etc/GMT0", "Etc/GMT+0", "Etc/GMT-0", "Etc/Greenwich",
})  # fmt: skip
_NAME = re.compile(r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)[+-]?\d")  # the start of a POSIX TZ string
_FIRST = datetime(2000, 1, 1, 12, 34, tzinfo=UTC)
_SETTLED = datetime(2020, 1, 1, tzinfo=UTC)  # no release of the tz database changes the years before
_LAST = datetime(2037, 1, 1, tzinfo=UTC)  # fat files list their transitions up to this year
_DAMAGED = "it is truncated or damaged"
_STEP = timedelta(days=5)  # shorter than any time between two changes of offset


def zone_name(zone: tzinfo) -> str:
    """The name of a zone in declarations. All names of UTC are one: a new base image does not change declarations.

    >>> zone_name(ZoneInfo("Etc/UCT")), zone_name(ZoneInfo("Europe/Berlin"))
    ('UTC', 'Europe/Berlin')
    """
    name = str(zone)
    return "UTC" if name in _UTC_NAMES else name


def zone_of_posix(text: str) -> tzinfo | None:
    """The zone of a POSIX `TZ` string, such as "CET-1CEST,M3.5.0,M10.5.0/3". None: it is invalid or incomplete."""
    if not _NAME.match(text):
        return None
    try:
        zone = ZoneInfo.from_file(BytesIO(_file_of(text)), key=text)
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
    return UTC if name in _UTC_NAMES else ZoneInfo(name)


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


def _file_of(posix: str) -> bytes:
    """A zone file that holds only the POSIX string: version 2, one local time type, no transitions."""
    counts = b"".join(number.to_bytes(4, "big") for number in (0, 0, 0, 0, 1, 4))
    block = b"TZif2" + bytes(15) + counts + bytes(6) + b"UTC\0"
    return block + block + b"\n" + posix.encode("ascii") + b"\n"


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
