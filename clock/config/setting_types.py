"""What a setting's value may be: each reader takes what an option, a variable or the YAML holds, or raises."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from clock.config.queue_names import queue_name

MOST = 1_000_000_000  # what a count may be: more is a mistake


def count(value: object) -> int:
    """A whole number above 0, as a number or as text."""
    if isinstance(value, bool) or not 1 <= int(str(value)) <= MOST:
        raise ValueError
    return int(str(value))


def port(value: object) -> int:
    """A TCP port."""
    if count(value) > 65_535:
        raise ValueError
    return count(value)


def seconds(value: object) -> float:
    """Seconds, up to a day."""
    if isinstance(value, bool) or not 0 <= float(str(value)) < 86_400:
        raise ValueError
    return float(str(value))


def interval(value: object) -> float:
    """Seconds between heartbeats: Sidekiq's page forgets a process after a minute without one."""
    if not 0 < seconds(value) <= 15:
        raise ValueError
    return seconds(value)


def limit(value: object) -> float:
    """Seconds above 0, up to a day."""
    if seconds(value) <= 0:
        raise ValueError
    return seconds(value)


def number(value: object) -> int:
    """A whole number, 0 or above, as a number or as text."""
    found = int(str(value))
    if isinstance(value, bool) or found < 0:
        raise ValueError
    return found


def long_limit(value: object) -> float:
    """Seconds above 0, up to 10 billion (300 years)."""
    if isinstance(value, bool) or not 0 < float(str(value)) <= 1e10:
        raise ValueError
    return float(str(value))


def text(value: object) -> str:
    """Text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def url(value: object) -> str:
    """The URL of a server, of whichever kind: the connection says which there are."""
    if not re.match(r"[a-z+]+://.", text(value)):
        raise ValueError
    return text(value)


def path(value: object) -> Path:
    """A path, as text or as it is."""
    return value if isinstance(value, Path) else Path(text(value))


def paths(value: object) -> tuple[Path, ...]:
    """One path or several."""
    given = value if isinstance(value, (list, tuple)) else [value]
    if not given:
        raise ValueError
    return tuple(map(path, given))


def one_of(*words: str) -> Callable[[object], str]:
    """One of these words, in capitals or not."""

    def read(value: object) -> str:
        if text(value).lower() not in words:
            raise ValueError
        return text(value).lower()

    return read


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
