"""The releases that led, and the declarations that each added, removed or changed. The dashboard shows them.

A clock records its clock file once, when it starts to lead. Events of database rows are not part of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from redis import Redis

from clock.store import keys
from clock.store.invalid_values import json_object, text
from clock.store.server.connection import translated
from clock.store.wrong_type import reading, typed

LENGTH = 200  # releases kept, about
MOST_NAMED = 100  # events of each kind that an entry names; `counts` has all

Entry = dict[str, Any]


def note(
    redis: Redis, release: str, host: str, declarations: Mapping[str, str], was: Mapping[str, Sequence[str]]
) -> bool:
    """Record a release and its declarations (event -> words); False: it is the latest release, and unchanged.

    `was` has the old names of renamed events. The record and the new declarations are written together. Raises
    StoreUnavailable, WrongType.
    """
    before = declared(redis)
    latest = read(redis, 1)
    if latest and latest[0][1].get("release") == release and before == dict(declarations):
        return False
    entry = {"release": release, "host": host, "events": len(declarations), "first": not before}
    entry |= _difference(before, declarations, was)
    gone = before.keys() - declarations.keys()
    with translated(), redis.pipeline() as pipeline:
        if gone:
            pipeline.hdel(keys.TIMETABLE, *gone)
        if declarations:
            pipeline.hset(keys.TIMETABLE, mapping=cast("Mapping[Any, Any]", declarations))
        pipeline.xadd(keys.CHANGES, {"entry": json.dumps(entry)}, maxlen=LENGTH, approximate=True)
        pipeline.execute()
    return True


def declared(redis: Redis) -> dict[str, str]:
    """The declaration of each event of the latest clock file that led. Raises StoreUnavailable, WrongType."""
    with typed(redis, keys.TIMETABLE, "hash"):
        stored: Any = redis.hgetall(keys.TIMETABLE)
    return {text(name): text(words) for name, words in stored.items()}


def _difference(before: Mapping[str, str], now: Mapping[str, str], was: Mapping[str, Sequence[str]]) -> Entry:
    renamed: list[tuple[str, ...]] = [
        (old, new)
        for new, olds in was.items()
        for old in olds
        if old in before and old not in now and new in now and new not in before
    ]
    known = {name for pair in renamed for name in pair}
    found: Mapping[str, list[tuple[str, ...]]] = {
        "added": [
            (name, words) for name, words in now.items() if before and name not in before and name not in known
        ],
        "removed": [(name, words) for name, words in before.items() if name not in now and name not in known],
        "changed": [
            (name, before[name], words) for name, words in now.items() if before.get(name, words) != words
        ],
        "renamed": renamed,
    }
    named = {kind: rows[:MOST_NAMED] for kind, rows in found.items()}
    return {**named, "counts": {kind: len(rows) for kind, rows in found.items()}}


def read(redis: Redis, count: int, before: str = "") -> list[tuple[str, Entry]]:
    """Up to `count` entries with their ids, the latest first; `before` is the id of the last one seen.

    An id starts with the time in ms since 1970. Invalid entries are skipped, and a key of another type has
    none. Raises StoreUnavailable.
    """
    last = f"({before}" if before else "+"
    rows = reading(redis, lambda pipe: pipe.xrevrange(keys.CHANGES, max=last, count=count)) or ()
    found = ((number.decode(), json_object(fields.get(b"entry"))) for number, fields in rows)
    return [(number, entry) for number, entry in found if entry is not None]
