"""Pauses: an event, or the whole clock, does not fire from one instant to another.

Whether a due instant is paused depends on that instant alone, not on when a clock comes to look at it: so each
stretch of time that was paused is kept after its end, and nothing that was due in it is caught up. Each function
that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from redis import Redis
from redis.client import Pipeline

from clock.clocks import from_ms, to_ms
from clock.store import keys
from clock.store.ledger.entry import LATEST_MS, instant_ms
from clock.store.server.connection import translated
from clock.store.wrong_type import WrongType, typed

logger = logging.getLogger("clock.clock")

ALL = ""  # in the place of an event's name: the whole clock
KEPT_MS = 7 * 24 * 3600 * 1000  # a stretch is forgotten a week after its end, if all its due instants are decided
LONGEST_MS = 52 * KEPT_MS  # and after a year in any case: an event may never be due again
MOST_KEPT = 100  # stretches of one event; the oldest are forgotten


@dataclass(frozen=True, slots=True)
class Pause:
    """From `start` until before `until` (None: until resumed), with person and reason."""

    start: datetime
    until: datetime | None = None
    by: str | None = None
    note: str | None = None
    earlier: tuple[Pause, ...] = field(default=(), repr=False)  # the stretches before it, the latest first

    @property
    def periods(self) -> tuple[Pause, ...]:
        """This one and the earlier ones, each for itself, the latest first."""
        return (replace(self, earlier=()), *self.earlier)

    def covers(self, due: datetime) -> bool:
        """Whether that due instant is paused."""
        return self.start <= due and (self.until is None or due < self.until)

    def followed_by(self, wanted: Pause) -> Pause:
        """This pause once `wanted` is made after it; an earlier start is kept."""
        if self.covers(wanted.start):
            return replace(wanted, start=self.start, earlier=self.earlier)
        return replace(wanted, earlier=self.periods[: MOST_KEPT - 1])

    def __str__(self) -> str:
        return "paused" + (f" by {self.by}" if self.by else "") + (f": {self.note}" if self.note else "")


def covering(pauses: Mapping[str, Pause], event: str, due: datetime) -> Pause | None:
    """The pause, of the event or of the whole clock, that covers a due instant."""
    found = (period for name in (event, ALL) if name in pauses for period in pauses[name].periods)
    return next((period for period in found if period.covers(due)), None)


def _log(problem: str) -> None:
    logger.error("In Redis, %s. It is ignored; rename or delete it.", problem)


def read(redis: Redis, report: Callable[[str], object] = _log) -> dict[str, Pause]:
    """The latest pause of each event that had one, with the earlier ones; `ALL` for the whole clock's.

    An invalid pause is left out; `report` gets a sentence about it.
    """
    try:
        with typed(redis, keys.PAUSED, "hash"):
            rows: Any = redis.hgetall(keys.PAUSED)
    except WrongType as error:
        report(str(error))
        return {}
    found = {}
    for name, text in rows.items():
        pause = decoded(text)
        if pause is None:
            report(f'the field "{keys.shown(name)}" of the key {keys.PAUSED} is not a pause')
        else:
            found[keys.shown(name)] = pause
    return found


def pause(redis: Redis, event: str, wanted: Pause) -> Pause:
    """Pause an event, or `ALL`; an earlier start is kept.

    An end after LATEST_MS, such as `datetime.max`, is the same as none: readers would refuse it.
    """
    if wanted.until is not None and to_ms(wanted.until) > LATEST_MS:
        wanted = replace(wanted, until=None)
    return _change(redis, event, lambda before: before.followed_by(wanted) if before else wanted) or wanted


def resume(redis: Redis, event: str, now: datetime) -> Pause | None:
    """End the pause of an event, or of `ALL`, at `now`; None: it was not paused."""
    ended: Pause | None = None

    def end(before: Pause | None) -> Pause | None:
        nonlocal ended
        ended = before if before and before.covers(now) else None
        return replace(ended, until=now) if ended else before

    _change(redis, event, end)
    return ended


def forget_old(redis: Redis, now_ms: int) -> None:
    """Forget the stretches that ended a week before `now_ms` and in which nothing is undecided."""
    found = read(redis)
    if not any(_ended_by(now_ms - KEPT_MS, one) for pause in found.values() for one in pause.periods):
        return
    with translated():
        rows: Any = redis.hgetall(keys.LEDGER_DECIDED)
    decided = {keys.shown(name): due for name, raw in rows.items() if (due := instant_ms(raw)) is not None}
    decided[ALL] = min(decided.values(), default=now_ms)
    for event in found:
        oldest = max(now_ms - LONGEST_MS, min(now_ms - KEPT_MS, decided.get(event, now_ms)))
        _change(redis, event, partial(_without_old, oldest))


def _without_old(oldest_ms: int, pause: Pause | None) -> Pause | None:
    """A pause without the stretches that ended by `oldest_ms`; None if nothing is left."""
    kept = [one for one in pause.periods if not _ended_by(oldest_ms, one)] if pause else []
    return replace(kept[0], earlier=tuple(kept[1:])) if kept else None


def _ended_by(instant_ms: int, period: Pause) -> bool:
    return period.until is not None and to_ms(period.until) <= instant_ms


def _change(redis: Redis, event: str, made: Callable[[Pause | None], Pause | None]) -> Pause | None:
    """Replace an event's pause by the result of `made` (None: no pause); other processes may change it as well."""
    found: Pause | None = None

    def change(pipeline: Pipeline) -> None:
        nonlocal found
        text: Any = pipeline.hget(keys.PAUSED, event)  # at once: the key is watched
        before = decoded(text) if text else None
        found = made(before)
        pipeline.multi()
        if found is not None and found != before:
            pipeline.hset(keys.PAUSED, event, json.dumps(_fields(found), ensure_ascii=False))
        elif found is None and before is not None:
            pipeline.hdel(keys.PAUSED, event)

    with typed(redis, keys.PAUSED, "hash"):
        redis.transaction(change, keys.PAUSED)
    return found


def _fields(pause: Pause) -> dict[str, object]:
    """A pause as it is stored: the latest stretch's fields, and under `earlier` a list of the others'."""
    until = None if pause.until is None else to_ms(pause.until)
    known = {"from": to_ms(pause.start), "until": until, "by": pause.by, "note": pause.note}
    fields: dict[str, object] = {name: value for name, value in known.items() if value is not None}
    return fields | ({"earlier": [_fields(one) for one in pause.earlier]} if pause.earlier else {})


def decoded(text: bytes | None) -> Pause | None:
    """The pause that a field holds; None: it holds something else."""
    try:
        fields = json.loads(text or b"")
        return replace(_period(fields), earlier=tuple(map(_period, fields.get("earlier", ()))))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _period(fields: Mapping[str, Any]) -> Pause:
    start, end = fields["from"], fields.get("until")
    if not isinstance(start, int) or not isinstance(end, int | None) or max(start, end or 0) > LATEST_MS:
        raise ValueError
    until = None if end is None else from_ms(end)
    return Pause(from_ms(start), until, fields.get("by"), fields.get("note"))
