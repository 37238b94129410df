"""The URL that names a server: how it is read, and how it is shown. No message ever holds its password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from redis.connection import parse_url

from clock.errors import ConfigurationError

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel")
_ESCAPES = "in a user or password, @ : / ? # % are written %40 %3A %2F %3F %23 %25"
_HOST = re.compile(r"(\[[^]]*\]|[^:[]*)(:\d*)?")


@dataclass(frozen=True, slots=True)
class Sentinels:
    """`redis+sentinel://user:password@host1:26379,host2:26379/service/db`, taken apart."""

    addresses: list[tuple[str, int]]
    service: str
    options: dict[str, object]


def masked(url: str) -> str:
    """The URL without its password and query, as it may be logged; also of a text that is no URL.

    >>> masked("redis://me:secret@cache.example.com:6379/0?x=y")
    'redis://me:***@cache.example.com:6379/0'
    >>> masked("me:p@ss:/wo#rd@cache.example.com:6379")
    'me:***@cache.example.com:6379'
    """
    scheme = re.match(r"[a-z+]*://", url)
    start = scheme[0] if scheme else ""
    credentials, at, place = url.removeprefix(start).rpartition("@")
    if re.search(r"[?&]\w+=", credentials):  # of the query or of the password: which, nobody can tell
        return start + "***"
    user, colon, _ = credentials.partition(":")
    return (
        start + (f"{user if colon else ''}:***@" if at else "") + _without_odd_ports(re.split(r"[?#]", place)[0])
    )


def _without_odd_ports(place: str) -> str:
    """`place` with *** for each port that is no number: in a URL that lacks its host it is the password."""
    hosts, slash, rest = place.partition("/")
    shown = [host if _HOST.fullmatch(host) else host.partition(":")[0] + ":***" for host in hosts.split(",")]
    return ",".join(shown) + slash + rest


def scheme_of(url: str) -> str:
    """Which kind of address it is. Raises ConfigurationError where it cannot be read."""
    kinds = ", ".join(scheme + "://" for scheme in SCHEMES)
    try:
        parts = urlsplit(url)
        if parts.scheme in ("redis", "rediss"):
            _ = parts.port  # reading it checks it
    except ValueError:
        raise unreadable(url, f"it cannot be read; {_ESCAPES}") from None
    if parts.scheme not in SCHEMES:
        raise unreadable(url, f"begins with none of {kinds}")
    if parts.fragment or ("@" in parts.path and parts.scheme != "unix") or not _is_query(parts.query):
        raise unreadable(url, f"it cannot be read; {_ESCAPES}")
    return parts.scheme


def _is_query(text: str) -> bool:
    """Whether it is a query; else it is the rest of a password with a `?` in it, and what is before it no host."""
    return not text or ("@" not in text and all("=" in option for option in text.split("&")))


def sentinels(url: str) -> Sentinels:
    """Take apart the address of sentinels. Raises ConfigurationError."""
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    places = [host.partition(":") for host in hosts.split(",")]
    if not service:
        raise unreadable(url, "it names no service: redis+sentinel://host:26379/SERVICE/0")
    if not all(number.isdecimal() for number in (database or "0", *(port or "0" for _, _, port in places))):
        raise unreadable(url, f"ports and database are numbers: redis+sentinel://host:26379/SERVICE/0; {_ESCAPES}")
    try:
        query: dict[str, object] = parse_url(f"redis://?{parts.query}")  # type: ignore[no-untyped-call]  # untyped there
    except ValueError as error:  # names the option, and not its value
        raise unreadable(url, str(error)) from None
    return Sentinels(
        [(name, int(port or 26379)) for name, _, port in places],
        service,
        {
            "username": unquote(user) or None,
            "password": unquote(password) or None,
            "db": int(database or 0),
            **query,
        },
    )


def unreadable(url: str, why: str) -> ConfigurationError:
    """The error that says what is wrong with an address; where it came from is said by who has it."""
    return ConfigurationError(f"{masked(url)!r}: {why}")
