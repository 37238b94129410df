"""The types of settings, and the readers of values from options, variables and YAML."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clock.printable import is_printable

MOST = 1_000_000_000  # the highest count: more is a mistake
MOST_THREADS = 10_000  # of a process, and processes of a worker; machines refuse more, or spend minutes on them
DAY = 86_400
MOST_SHARDS = 64  # each command that counts jobs asks all of them
CENTURIES = 10_000_000_000  # three of them, in seconds

#: The rule for names of queues, in words.
NAME_RULE = "a name that is not empty, without line breaks and other control characters"

_BOUNDS: Mapping[str, Callable[[float, float], bool]] = {
    "minimum": operator.ge,
    "exclusiveMinimum": operator.gt,
    "maximum": operator.le,
    "exclusiveMaximum": operator.lt,
}
_JSON_TYPES: Mapping[type, str] = {int: "integer", float: "number"}

DEFAULT_CAPSULE = "default"  # the name of the rest outside of capsules, as in Sidekiq


@dataclass(frozen=True, slots=True)
class Capsule:
    """A capsule: its queues, and its concurrency (None: the worker's)."""

    name: str
    queues: tuple[tuple[str, int], ...]
    concurrency: int | None = None

    def __str__(self) -> str:
        queues = ", ".join(name for name, _ in self.queues)
        return f"{self.name} ({queues}{f', {self.concurrency} at once' if self.concurrency else ''})"


@dataclass(frozen=True, slots=True)
class Kind:
    """The type of a value: as a reader, which raises ValueError, in words, and as a JSON schema for editors.

    `option` is the type of one word on the command line, and `metavar` its name in the help.
    """

    read: Callable[[object], object]
    accepted: str
    schema: Mapping[str, object]
    option: type = str
    metavar: str | None = None


def of_number(
    type_: type[int] | type[float], accepted: str, *, metavar: str | None = None, **bounds: float
) -> Kind:
    """A number, or text with a number, within bounds with the names of a JSON schema."""

    def read(value: object) -> float:
        found = type_(str(value))
        if isinstance(value, bool) or not all(_BOUNDS[name](found, bound) for name, bound in bounds.items()):
            raise ValueError
        return found

    return Kind(read, accepted, {"type": _JSON_TYPES[type_], **bounds}, type_, metavar)


def text(value: object) -> str:
    """Text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def url(value: object) -> str:
    """The URL of a server of any kind; the connection checks the kind."""
    found = text(value).strip()  # a variable of a file or a secret often ends with a line break
    if not re.match(r"[a-z+]+://.", found):
        raise ValueError
    return found


def namespace(value: object) -> str:
    """The name of a namespace: the braces around it in Redis are ours."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", text(value)):
        raise ValueError
    return text(value)


def urls(value: object) -> tuple[str, ...]:
    """A list of URLs, or one text with spaces or commas between them."""
    given = value if isinstance(value, (list, tuple)) else re.split(r"[\s,]+(?=[a-z+]+://)", text(value).strip())
    found = tuple(map(url, given))
    places = {re.sub(r"(:\d+)/0?$", r"\1", one) for one in found}  # the database is 0 if none is given
    if not 1 < len(found) <= MOST_SHARDS or len(places) < len(found):
        raise ValueError
    return found


def path(value: object) -> Path:
    """A path, as text or as a Path."""
    return value if isinstance(value, Path) else Path(text(value))


def paths(value: object) -> tuple[Path, ...]:
    """One path or several."""
    given = value if isinstance(value, (list, tuple)) else [value]
    if not given:
        raise ValueError
    return tuple(map(path, given))


def queue_name(value: object) -> str | None:
    """The name without surrounding blanks, as workers use it; None if it is invalid.

    A worker separates a job's queue from its payload by a line break, so a name must not contain one.
    """
    if not isinstance(value, str):
        return None
    name = str.strip(value)
    return name if name and is_printable(name) else None


def queues(value: object) -> tuple[tuple[str, int], ...]:
    """`[critical, default]`; with weights `[[critical, 4], [default, 1]]`, or as options `critical,4`."""
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError
    return tuple(_queue(item) for item in value)


def _queue(item: object) -> tuple[str, int]:
    name, weight = item if isinstance(item, (list, tuple)) else (*text(item).split(","), 0)[:2]
    known = queue_name(name)
    if known is None or isinstance(weight, bool) or int(str(weight)) < 0:
        raise ValueError
    return known, int(str(weight))


def capsules(value: object) -> tuple[Capsule, ...]:
    """`{single: {concurrency: 1, queues: [serial]}}`. Raises ValueError."""
    if not isinstance(value, Mapping):
        raise ValueError
    return tuple(_capsule(text(str(name).removeprefix(":")), given) for name, given in value.items())


def _capsule(name: str, given: object) -> Capsule:
    if not isinstance(given, Mapping) or name == DEFAULT_CAPSULE:
        raise ValueError
    fields = {str(key).removeprefix(":"): value for key, value in given.items()}
    if not fields.keys() <= {"queues", "concurrency"}:
        raise ValueError
    concurrency = fields.get("concurrency")
    return Capsule(
        name,
        queues(fields.get("queues")),
        None if concurrency is None else int(str(THREADS.read(concurrency))),
    )


TEXT_SCHEMA = {"type": "string", "minLength": 1}
QUEUES_SCHEMA = {
    "type": "array",
    "minItems": 1,
    "items": {
        "oneOf": [
            TEXT_SCHEMA,
            {
                "type": "array",
                "prefixItems": [TEXT_SCHEMA, {"type": "integer", "minimum": 0}],
                "minItems": 2,
                "maxItems": 2,
            },
        ]
    },
}

COUNT = of_number(int, f"it must be a whole number from 1 to {MOST:,}", minimum=1, maximum=MOST)
THREADS = of_number(int, f"it must be a whole number from 1 to {MOST_THREADS:,}", minimum=1, maximum=MOST_THREADS)
NUMBER = of_number(int, "it must be a whole number, 0 or above", minimum=0)
SHARDS = of_number(int, f"it must be a number of shards, from 1 to {MOST_SHARDS}", minimum=1, maximum=MOST_SHARDS)
REPLICAS = of_number(int, "it must be a number of replicas, from 0 to 10", minimum=0, maximum=10)
PORT = of_number(int, "it must be a port, from 1 to 65535", metavar="PORT", minimum=1, maximum=65_535)
SECONDS = of_number(float, "it must be a number of seconds, from 0 to a day", minimum=0, exclusiveMaximum=DAY)
LIMIT = of_number(
    float, "it must be a number of seconds, above 0 and at most a day", exclusiveMinimum=0, exclusiveMaximum=DAY
)
LONG_LIMIT = of_number(float, "it must be a number of seconds, above 0", exclusiveMinimum=0, maximum=CENTURIES)
#: Sidekiq's page removes a process after a minute without a heartbeat.
INTERVAL = of_number(
    float, "it must be a number of seconds, above 0 and at most 15", exclusiveMinimum=0, maximum=15
)
URL = Kind(
    url,
    "it must be a URL: redis://host:6379/0",
    {"type": "string", "pattern": r"^(rediss?|unix|rediss?\+(sentinel|cluster))://|^\$\{"},
    metavar="URL",
)
URLS = Kind(
    urls,
    f"it must be 2 to {MOST_SHARDS} different URLs: redis://a:6379,redis://b:6379",
    {
        "oneOf": [
            TEXT_SCHEMA,
            {"type": "array", "minItems": 2, "maxItems": MOST_SHARDS, "items": TEXT_SCHEMA},
        ]
    },
    metavar="URLS",
)
NAMESPACE = Kind(
    namespace,
    "it must be 1 to 60 letters, digits, `-`, `_` or `.`: shop",
    {"type": "string", "pattern": r"^[A-Za-z0-9_.-]{1,60}$"},
    metavar="NAME",
)
ADDRESS = Kind(text, "it must be an address: 127.0.0.1, 0.0.0.0, ::", TEXT_SCHEMA, metavar="ADDRESS")
FOLDERS = Kind(
    paths,
    "it must be a folder or a list of folders: jobs",
    {"oneOf": [TEXT_SCHEMA, {"type": "array", "minItems": 1, "items": {"type": "string"}}]},
    Path,
)
QUEUES = Kind(
    queues,
    "it must be a list: [critical, default], or [[critical, 4], [default, 1]] with weights; as options, "
    "-q critical,4 -q default,1",
    QUEUES_SCHEMA,
    metavar="NAME[,WEIGHT]",
)
CAPSULES = Kind(
    capsules,
    "it must be a mapping: {single: {concurrency: 1, queues: [serial]}}",
    {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {
                "queues": QUEUES_SCHEMA,
                "concurrency": THREADS.schema,
            },
            "required": ["queues"],
            "additionalProperties": False,
        },
    },
)


def path_like(example: str) -> Kind:
    """A path such as this one."""
    return Kind(path, f"it must be a path: {example}", TEXT_SCHEMA, Path)


def one_of(*words: str, metavar: str) -> Kind:
    """One of these words, in capitals or not."""

    def read(value: object) -> str:
        if text(value).lower() not in words:
            raise ValueError
        return text(value).lower()

    accepted = f"it must be {', '.join(words[:-1])} or {words[-1]}"
    return Kind(read, accepted, {"enum": list(words)}, metavar=metavar)
