"""The options in the query of a Redis URL: which are used, which have no effect, and their values.

One URL often serves several programs, so options that only suit another client are ignored, with a warning. An
unknown option is a typing error and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from clock.printable import closest


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a URL, by their use. `ignored` are the names of those without effect.

    `pushes`: limits of pushes. `connection`: for each connection to Redis. `sentinel`: for those to sentinels.
    """

    pushes: Mapping[str, float] = field(default_factory=dict)
    connection: Mapping[str, object] = field(default_factory=dict)
    sentinel: Mapping[str, object] = field(default_factory=dict)
    tls: Mapping[str, object] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


def read_query(text: str, *, is_tls: bool, is_sentinel: bool) -> Options:
    """The options of a query. Raises ValueError with a text that names the option and never its value."""
    given = parse_qsl(text, keep_blank_values=True)
    _check_names([name for name, _ in given])
    values = {name: _read(name, value) for name, value in given if name in _READ}
    pushes, connection, sentinel, tls = (
        _of_kind(values, kind) for kind in (_PUSHES, _CONNECTION, _SENTINEL, _TLS)
    )
    found = Options(pushes, connection, sentinel, tls, _ignored(given))
    uses_tls = is_tls or (is_sentinel and bool(values.get("ssl")))
    if found.tls and not uses_tls:
        raise ValueError(f"{_shown(next(iter(found.tls)))} needs TLS: write rediss:// or rediss+sentinel://")
    if found.sentinel and not is_sentinel:
        raise ValueError(f"{_shown(next(iter(found.sentinel)))} is for redis+sentinel:// and rediss+sentinel://")
    return found


def _check_names(names: list[str]) -> None:
    for name in names:
        if name not in _READ and name not in _IGNORED:
            hint = closest(name, [*_READ, *_IGNORED], "", before="; ")
            raise ValueError(f"its query holds an unknown option: {_shown(name)}{hint}")
        if names.count(name) > 1:
            raise ValueError(f"its query holds {_shown(name)} twice")


def _read(name: str, text: str) -> object:
    read, wanted = _READ[name]
    try:
        return read(text)
    except ValueError:
        raise ValueError(f"the value of {_shown(name)} in its query is not {wanted}") from None


def _ignored(given: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(name for name, value in given if name in _IGNORED and value.lower() not in _IGNORED[name])


def _of_kind(values: Mapping[str, Any], kind: tuple[str, ...]) -> dict[str, Any]:
    return {name: values[name] for name in kind if name in values}


def _shown(name: str) -> str:
    """A name as an error may show it: what follows a stray `?` or `&` may be a password."""
    return repr(name) if len(name) <= 30 and name.isidentifier() else "an invalid name"


def seconds(text: str) -> float:
    """The seconds that a text gives: above 0, at most a day. Raises ValueError."""
    number = float(text)
    if not (isfinite(number) and 0 < number <= 86_400):
        raise ValueError
    return number


def _wait(text: str) -> float:
    return 0.0 if float(text) == 0 else seconds(text)


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and least <= int(text) < 2**31):
            raise ValueError
        return int(text)

    return read


#: Reads the number of a database. Raises ValueError.
database_number = _whole(0)


def _flag(text: str) -> bool:
    words = {"true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False}
    if text.lower() not in words:
        raise ValueError
    return words[text.lower()]


def _word(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError
    return text


def _file(text: str) -> str:
    if not Path(text).exists():
        raise ValueError
    return text


def _client_name(text: str) -> str:
    if not text.isascii() or " " in _word(text):
        raise ValueError
    return text


def _verification(text: str) -> str:
    word = text.lower().removeprefix("cert_")
    if word not in ("none", "optional", "required"):
        raise ValueError
    return word


def _tls_version(text: str) -> int:
    versions = {"tlsv1.2": 0x0303, "771": 0x0303, "tlsv1.3": 0x0304, "772": 0x0304}
    if text.lower() not in versions:
        raise ValueError
    return versions[text.lower()]


_SECONDS = (seconds, "a number of seconds above 0")
_FLAG = (_flag, "true or false")
_TEXT = (_word, "a word")
_FILE = (_file, "an existing file")

#: option -> how its value is read, and what is accepted
_READ: dict[str, tuple[Callable[[str], object], str]] = {
    "db": (database_number, "a number from 0 up"),
    "username": _TEXT,
    "password": _TEXT,
    "socket_timeout": _SECONDS,
    "socket_connect_timeout": _SECONDS,
    "socket_keepalive": _FLAG,
    "max_connections": (_whole(1), "a number above 0"),
    "timeout": (_wait, "a number of seconds from 0 up"),
    "client_name": (_client_name, "a word of ASCII without spaces"),
    "sentinel_username": _TEXT,
    "sentinel_password": _TEXT,
    "sentinel_ssl": _FLAG,
    "ssl": _FLAG,
    "ssl_cert_reqs": (_verification, "none, optional or required"),
    "ssl_check_hostname": _FLAG,
    "ssl_ca_certs": _FILE,
    "ssl_ca_path": _FILE,
    "ssl_ca_data": _TEXT,
    "ssl_certfile": _FILE,
    "ssl_keyfile": _FILE,
    "ssl_password": _TEXT,
    "ssl_min_version": (_tls_version, "TLSv1.2 or TLSv1.3"),
    "ssl_ciphers": _TEXT,
}
_PUSHES = ("socket_timeout", "socket_connect_timeout", "max_connections", "timeout")
_SENTINEL = ("sentinel_username", "sentinel_password", "sentinel_ssl", "ssl")
_TLS = tuple(name for name in _READ if name.startswith("ssl_"))
_CONNECTION = tuple(name for name in _READ if name not in (*_PUSHES, *_SENTINEL, *_TLS))

#: Options for other clients: name -> the values that describe what clock does anyway
_IGNORED = {
    "decode_responses": ("false", "0", "no"),
    "encoding": ("utf-8", "utf8"),
    "encoding_errors": ("strict",),
    "protocol": ("2",),
    "legacy_responses": (),
    "health_check_interval": (),
    "retry_on_timeout": ("false", "0", "no"),
    "retry_on_error": (),
    "single_connection_client": ("false", "0", "no"),
    "socket_read_size": (),
    "lib_name": (),
    "lib_version": (),
}
