"""The options in the query of a Redis URL: which are used, which have no effect, and their values.

One URL often serves several programs, so options that only suit another client are ignored, with a warning. An
unknown option is a typing error and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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

    pushes: Mapping[str, float]
    connection: Mapping[str, object]
    sentinel: Mapping[str, object]
    tls: Mapping[str, object]
    ignored: tuple[str, ...]


def read_query(text: str, *, is_tls: bool, is_sentinel: bool) -> Options:
    """The options of a query. Raises ValueError with a text that names the option and never its value."""
    given = parse_qsl(text, keep_blank_values=True)
    _check_names([name for name, _ in given])
    found: dict[str, dict[str, Any]] = {"pushes": {}, "connection": {}, "sentinel": {}, "tls": {}}
    for name, value in given:
        if name in _READ:
            use, read, wanted = _READ[name]
            try:
                found[use][name] = read(value)
            except (ValueError, KeyError):
                raise ValueError(f"the value of {_shown(name)} in its query is not {wanted}") from None
    ignored = (name for name, value in given if name in _IGNORED and value.lower() not in _IGNORED[name])
    options = Options(**found, ignored=tuple(ignored))
    if options.tls and not (is_tls or (is_sentinel and options.sentinel.get("ssl"))):
        raise ValueError(f"{_shown(next(iter(options.tls)))} needs TLS: write rediss:// or rediss+sentinel://")
    if options.sentinel and not is_sentinel:
        name = next(iter(options.sentinel))
        raise ValueError(f"{_shown(name)} is for redis+sentinel:// and rediss+sentinel://")
    return options


def _check_names(names: list[str]) -> None:
    for name in names:
        if name not in _READ and name not in _IGNORED:
            hint = closest(name, [*_READ, *_IGNORED], "", before="; ")
            raise ValueError(f"its query holds an unknown option: {_shown(name)}{hint}")
        if names.count(name) > 1:
            raise ValueError(f"its query holds {_shown(name)} twice")


def _shown(name: str) -> str:
    """A name as an error may show it: what follows a stray `?` or `&` may be a password."""
    return repr(name) if len(name) <= 30 and name.isidentifier() else "an invalid name"


def _seconds(text: str) -> float:
    number = float(text)
    if not (isfinite(number) and 0 < number <= 86_400):
        raise ValueError
    return number


def _wait(text: str) -> float:
    return 0.0 if float(text) == 0 else _seconds(text)


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and least <= int(text) < 2**31):
            raise ValueError
        return int(text)

    return read


#: Reads the number of a database. Raises ValueError.
database_number = _whole(0)


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


def _one_of(words: Mapping[str, object]) -> Callable[[str], object]:
    return lambda text: words[text.lower()]


_FLAGS = {"true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False}
_CHECKS = {f"{start}{word}": word for word in ("none", "optional", "required") for start in ("", "cert_")}
_TLS_VERSIONS = {"tlsv1.2": 0x0303, "771": 0x0303, "tlsv1.3": 0x0304, "772": 0x0304}

_SECONDS = (_seconds, "a number of seconds above 0")
_FLAG = (_one_of(_FLAGS), "true or false")
_TEXT = (_word, "a word")
_FILE = (_file, "an existing file")

#: option -> its use, a field of `Options`; how its value is read, and what is accepted
_READ: Mapping[str, tuple[str, Callable[[str], object], str]] = {
    "db": ("connection", database_number, "a number from 0 up"),
    "username": ("connection", *_TEXT),
    "password": ("connection", *_TEXT),
    "socket_keepalive": ("connection", *_FLAG),
    "client_name": ("connection", _client_name, "a word of ASCII without spaces"),
    "socket_timeout": ("pushes", *_SECONDS),
    "socket_connect_timeout": ("pushes", *_SECONDS),
    "max_connections": ("pushes", _whole(1), "a number above 0"),
    "timeout": ("pushes", _wait, "a number of seconds from 0 up"),
    "sentinel_username": ("sentinel", *_TEXT),
    "sentinel_password": ("sentinel", *_TEXT),
    "sentinel_ssl": ("sentinel", *_FLAG),
    "ssl": ("sentinel", *_FLAG),
    "ssl_cert_reqs": ("tls", _one_of(_CHECKS), "none, optional or required"),
    "ssl_check_hostname": ("tls", *_FLAG),
    "ssl_ca_certs": ("tls", *_FILE),
    "ssl_ca_path": ("tls", *_FILE),
    "ssl_ca_data": ("tls", *_TEXT),
    "ssl_certfile": ("tls", *_FILE),
    "ssl_keyfile": ("tls", *_FILE),
    "ssl_password": ("tls", *_TEXT),
    "ssl_min_version": ("tls", _one_of(_TLS_VERSIONS), "TLSv1.2 or TLSv1.3"),
    "ssl_ciphers": ("tls", *_TEXT),
}

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
