"""The URL that names a server: how it is read and shown, and what it adds to the error of a first connection.

No message ever holds its password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from clock.errors import ConfigurationError, StoreError
from clock.printable import brief
from clock.store.server.url_options import Options, database_number, read_query

SENTINEL_SCHEMES = ("redis+sentinel", "rediss+sentinel")
CLUSTER_SCHEMES = ("redis+cluster", "rediss+cluster")
SCHEMES = ("redis", "rediss", "unix", *SENTINEL_SCHEMES, *CLUSTER_SCHEMES)
_ESCAPES = "in a user or password, @ : / ? # % are written %40 %3A %2F %3F %23 %25"
_HOST = re.compile(r"(\[[^]]*\]|[^:[]*)(:[0-9]*)?")
_OF_A_LIST = re.compile(r"(?is)(?P<start>rediss?\+(sentinel|cluster)://)(?P<hosts>[^/?#]*)(?P<rest>.*)")
_LONGEST = 300  # characters of a URL in an error: six sentinels with long names
_ABOVE = "the port is above 65535"


@dataclass(frozen=True, slots=True)
class Address:
    """A URL taken apart. `connection` holds the part in front of its query: host, port or path, user, database.

    `guides` name the server: sentinels the primary of `service`, nodes of a cluster the owner of a slot.
    """

    scheme: str
    options: Options
    connection: Mapping[str, object]
    service: str = ""
    guides: tuple[tuple[str, int], ...] = ()


def masked(url: str) -> str:
    """The URL without its password and query, for logs. It also masks a text that is not a URL.

    >>> masked("redis://me:secret@cache.example.com:6379/0?x=y")
    'redis://me:***@cache.example.com:6379/0'
    """
    scheme = re.match(r"[a-z+]*://", url)
    start = scheme[0] if scheme else ""
    credentials, at, place = url.removeprefix(start).rpartition("@")
    if re.search(r"[?&]\w+=", credentials):  # of the query or of the password: that cannot be decided
        return start + "***"
    user, colon, _ = credentials.partition(":")
    return (
        start
        + (f"{user if colon else ''}:***@" if at else "")
        + _without_invalid_ports(re.split(r"[?#]", place)[0])
    )


def _without_invalid_ports(place: str) -> str:
    """`place` with *** for each port that is not a number: in a URL without a host, that is the password."""
    hosts, slash, rest = place.partition("/")
    shown = [host if _HOST.fullmatch(host) else host.partition(":")[0] + ":***" for host in hosts.split(",")]
    return ",".join(shown) + slash + rest


def _checked(url: str) -> SplitResult:
    """The parts of a URL. Raises ConfigurationError if it is invalid."""
    kinds = ", ".join(scheme + "://" for scheme in SCHEMES)
    try:
        parts = _split(url)
        if parts.scheme in ("redis", "rediss"):
            _ = parts.port  # reading it checks it
    except ValueError as error:
        is_above = "out of range" in str(error)
        raise unreadable(url, _ABOVE if is_above else f"it cannot be read; {_ESCAPES}") from None
    if parts.scheme not in SCHEMES:
        raise unreadable(url, f"it must start with one of {kinds}")
    if parts.fragment or ("@" in parts.path and parts.scheme != "unix") or not _is_query(parts.query):
        raise unreadable(url, f"it cannot be read; {_ESCAPES}")
    return parts


def _split(url: str) -> SplitResult:
    """The parts of a URL. Raises ValueError.

    `urlsplit` of new Pythons refuses a list of hosts with an IPv6 address, so it does not see the list.
    """
    listed = _OF_A_LIST.fullmatch(url)
    if listed is None:
        return urlsplit(url)
    return urlsplit(listed["start"] + listed["rest"])._replace(netloc=listed["hosts"])


def _is_query(text: str) -> bool:
    """Whether the text is a query, and not the end of a password with a `?`."""
    return not text or ("@" not in text and all("=" in option for option in text.split("&")))


def read(url: str) -> Address:
    """Take a URL apart. Raises ConfigurationError, which names the error and shows no password."""
    parts = _checked(url)
    scheme = parts.scheme
    is_sentinel = scheme in SENTINEL_SCHEMES
    try:
        options = read_query(parts.query, is_tls=scheme.startswith("rediss"), is_sentinel=is_sentinel)
    except ValueError as error:
        raise unreadable(url, str(error)) from None
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    login = {"username": unquote(user), "password": unquote(password)}
    connection: dict[str, object] = {name: value for name, value in login.items() if value}
    if scheme == "unix":
        if not parts.path.strip("/"):
            raise unreadable(url, "the socket is missing: unix:///run/redis/redis.sock")
        return Address(scheme, options, connection | {"path": unquote(parts.path)})
    service, path = "", parts.path
    if is_sentinel:
        service, _, path = path.strip("/").partition("/")
    connection |= _database(url, path, options)
    if is_sentinel or scheme in CLUSTER_SCHEMES:
        return Address(scheme, options, connection, unquote(service), _guides(url, parts, service))
    if parts.port == 0:
        raise unreadable(url, "the port is 0; Redis's is 6379")
    place = {"host": _host(url, unquote(parts.hostname or "localhost")), "port": parts.port or 6379}
    return Address(scheme, options, connection | place)


def _guides(url: str, parts: SplitResult, service: str) -> tuple[tuple[str, int], ...]:
    """The hosts of a list, each with its port or else the usual one."""
    is_sentinel = parts.scheme in SENTINEL_SCHEMES
    example = f"{parts.scheme}://host:26379/SERVICE/0" if is_sentinel else f"{parts.scheme}://host:6379,host:6379"
    if is_sentinel and not service:
        raise unreadable(url, f"the service is missing: {example}")
    hosts = parts.netloc.rpartition("@")[2].split(",")
    places = [place for place in map(_HOST.fullmatch, hosts) if place and place[1]]
    if len(places) < len(hosts):
        raise unreadable(url, f"ports are numbers: {example}; {_ESCAPES}")
    usual = 26379 if is_sentinel else 6379
    return tuple((_host(url, place[1].strip("[]")), _port(url, place[2] or "", usual)) for place in places)


def _port(url: str, text: str, usual: int) -> int:
    digits = text.removeprefix(":").lstrip("0")
    if text.strip(":") and not digits:
        raise unreadable(url, f"the port is 0; the usual one is {usual}")
    if len(digits) > 5 or int(digits or usual) > 65_535:
        raise unreadable(url, _ABOVE)
    return int(digits or usual)


def _host(url: str, name: str) -> str:
    try:
        name.encode("idna")
    except UnicodeError:
        raise unreadable(url, f"the host is not a valid name; {_ESCAPES}") from None
    if not name.isprintable() or " " in name:
        raise unreadable(url, f"the host is not a valid name; {_ESCAPES}")
    return name


def _database(url: str, path: str, options: Options) -> dict[str, int]:
    text = unquote(path).strip("/")
    if not text:
        return {}
    try:
        number = database_number(text)
    except ValueError:
        raise unreadable(url, f"the database is a number from 0 up: redis://host:6379/0; {_ESCAPES}") from None
    if options.connection.get("db", number) != number:
        raise unreadable(url, "its path and its query name two different databases; remove one of them")
    return {"db": number}


def unreadable(url: str, why: str) -> ConfigurationError:
    """The error for a bad URL. The caller adds the origin of the URL."""
    return ConfigurationError(f"{brief(masked(url), _LONGEST)}: {why}")


#: The errors if only one side speaks TLS: the server does not answer, or it closes the connection.
_SILENT = ("Timeout connecting", "reset by peer", "closed by server")

#: The words of a certificate's error, and the cure.
_CERTIFICATE = (
    ("no certificate or crl found", "The file of ?ssl_ca_certs holds no certificate."),
    ("certificate has expired", "Renew the server's certificate."),
    ("not yet valid", "Is this machine's clock right?"),
    (
        "mismatch",
        "Connect by a name that the certificate contains, or add this one to it. "
        "?ssl_check_hostname=false turns this check off.",
    ),
)
_UNVERIFIED = (
    "The server's certificate could not be verified: name its CA with ?ssl_ca_certs=FILE, "
    "or turn the check off with ?ssl_cert_reqs=none."
)


def advised(error: StoreError, url: str, source: str) -> str:
    """The error's text for this URL. `source` is the name of the setting that holds the URL."""
    scheme = url.partition("://")[0]
    text = str(error).replace("is its address right", f"is {source} right")
    text = text.replace("redis://:PASSWORD@HOST", f"{scheme}://:PASSWORD@HOST")
    if error.cause == "certificate":
        return f"{text} {_of_certificate(text, scheme)}"
    hint = _of_tls(text, scheme) if error.cause in ("unreachable", "no_answer") else ""
    return f"{text} {hint}".rstrip()


def _of_certificate(text: str, scheme: str) -> str:
    cure = next((cure for words, cure in _CERTIFICATE if words in text), _UNVERIFIED)
    if "mismatch" in text and scheme in SENTINEL_SCHEMES and not text.startswith("The sentinels"):
        cure += " The sentinels name this address; they name hosts with announce-hostnames."
    return cure


def _of_tls(text: str, scheme: str) -> str:
    """A question about TLS if the server is silent, as it is when only one side speaks TLS."""
    if not any(words in text for words in _SILENT):
        return ""
    is_tls, is_of_sentinel = scheme.startswith("rediss"), "no sentinel answers" in text
    if is_of_sentinel and is_tls:
        return "Do the sentinels speak TLS? If not: ?sentinel_ssl=false."
    if is_tls:
        return "Does the server speak TLS on this port?"
    if scheme in SENTINEL_SCHEMES and not is_of_sentinel:
        return "Does this port need TLS (?ssl=true)?"
    return f"Does this port need TLS ({scheme.replace('redis', 'rediss')}://)?"
