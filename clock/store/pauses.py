"""Pauses: an event, or the whole clock, does not fire from one instant to another.

Whether a due instant is paused depends on that instant alone, not on when a clock comes to look at it: so the
latest pause is kept after its end, and nothing that was due during it is caught up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from redis import Redis

from clock.store import keys
from clock.store.connection import translated

ALL = ""  # in the place of an event's name: the whole clock
KEPT_MS = 7 * 24 * 3600 * 1000  # a pause is forgotten a week after its end


@dataclass(frozen=True, slots=True)
class Pause:
    """From `from_ms` until before `until_ms` (None: until resumed), in ms since 1970; by whom, and why."""

    from_ms: int
    until_ms: int | None = None
    by: str | None = None
    note: str | None = None

    def covers(self, due_ms: int) -> bool:
        """Whether that due instant is paused.

        >>> Pause(1000, 2000).covers(1000), Pause(1000, 2000).covers(2000)
        (True, False)
        """
        return self.from_ms <= due_ms and (self.until_ms is None or due_ms < self.until_ms)

    def __str__(self) -> str:
        return "paused" + (f" by {self.by}" if self.by else "") + (f": {self.note}" if self.note else "")


def covering(pauses: Mapping[str, Pause], event: str, due_ms: int) -> Pause | None:
    """The pause, of the event or of the whole clock, that covers a due instant."""
    found = (pauses.get(name) for name in (event, ALL))
    return next((pause for pause in found if pause and pause.covers(due_ms)), None)


def read(redis: Redis) -> dict[str, Pause]:
    """The latest pause of each event that had one, `ALL` for the whole clock's. Raises StoreUnavailable."""
    with translated():
        rows: Any = redis.hgetall(keys.PAUSED)
    return {name.decode(): _decoded(text) for name, text in rows.items()}


def pause(redis: Redis, event: str, wanted: Pause) -> Pause:
    """Pause an event, or `ALL`; what is paused already stays so from when it was. Raises StoreUnavailable."""
    before = read(redis).get(event)
    if before and before.covers(wanted.from_ms):
        wanted = replace(wanted, from_ms=before.from_ms)
    _write(redis, event, wanted)
    return wanted


def resume(redis: Redis, event: str, now_ms: int) -> Pause | None:
    """End the pause of an event, or of `ALL`, at `now_ms`; None: it was not paused. Raises StoreUnavailable."""
    found = read(redis).get(event)
    if found is None or not found.covers(now_ms):
        return None
    _write(redis, event, replace(found, until_ms=now_ms))
    return found


def forget_old(redis: Redis, now_ms: int) -> None:
    """Forget the pauses that ended over a week before `now_ms`. Raises StoreUnavailable."""
    old = [name for name, pause in read(redis).items() if (pause.until_ms or now_ms) < now_ms - KEPT_MS]
    if old:
        with translated():
            redis.hdel(keys.PAUSED, *old)


def _write(redis: Redis, event: str, pause: Pause) -> None:
    fields = {name.removesuffix("_ms"): value for name, value in asdict(pause).items() if value is not None}
    with translated():
        redis.hset(keys.PAUSED, event, json.dumps(fields, ensure_ascii=False))


def _decoded(text: bytes) -> Pause:
    fields = json.loads(text)
    return Pause(fields["from"], fields.get("until"), fields.get("by"), fields.get("note"))
