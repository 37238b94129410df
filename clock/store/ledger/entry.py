"""A ledger entry: the state of one event in the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from functools import lru_cache
from types import MappingProxyType

from clock.clocks import from_ms
from clock.store import keys

LATEST_MS = 253_370_764_800_000  # the start of the year 9999: any zone's offset can still be added to it


def instant_ms(text: bytes | None) -> int | None:
    """An instant in Redis, in ms since 1970; None: it is missing, or it is not an instant."""
    if text is None or not text.isdigit() or len(text) > len(str(LATEST_MS)):
        return None
    found = int(text)
    return found if found <= LATEST_MS else None


class Origin(IntEnum):
    """The source of an entry."""

    LEDGER = 0  # it was in the ledger, or the event is new
    RENEWED = 1  # it was started again, because a part of it was missing or invalid
    RESTORED = 2  # it was written again from this clock's memory: Redis had lost it
    MOVED = 3  # missing: the event has another name now, which `counted` holds


@dataclass(frozen=True, slots=True)
class Entry:
    """The state of an event; both instants in milliseconds since 1970, UTC.

    `counted` is what a trigger counts its next due instant from, if not from the last one, in the trigger's own
    format.
    """

    anchor_ms: int
    decided_ms: int
    counted: str = ""
    origin: Origin = field(default=Origin.LEDGER, compare=False)

    @property
    def anchor(self) -> datetime:
        """When the event was first seen with its declaration."""
        return _instant(self.anchor_ms)

    @property
    def decided(self) -> datetime:
        """All due instants up to this one are decided."""
        return _instant(self.decided_ms)

    @property
    def previous(self) -> datetime | None:
        """The due instant decided last; None: no due instant since the anchor is decided.

        Clockwork's form may be due at its anchor. An entry starts before it, or a millisecond after it, and due
        instants are whole seconds.
        """
        was_due = self.decided_ms >= self.anchor_ms and self.decided_ms % 1000 == 0
        return self.decided if was_due else None


@lru_cache(maxsize=1024)
def _instant(ms: int) -> datetime:
    """The instant as one object for all its entries: thousands of events are first seen at one instant."""
    return from_ms(ms)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """An event's entry with its declaration."""

    declaration: str
    entry: Entry

    @classmethod
    def of(
        cls, anchor: bytes | None, declaration: bytes | None, decided: bytes | None, counted: bytes | None
    ) -> LedgerRow | None:
        """The row of these values in Redis; None: one is missing or invalid."""
        anchor_ms, decided_ms = instant_ms(anchor), instant_ms(decided)
        if declaration is None or anchor_ms is None or decided_ms is None:
            return None
        return cls(keys.shown(declaration), Entry(anchor_ms, decided_ms, keys.shown(counted or b"")))


#: No entries are known.
NOTHING: Mapping[str, Entry] = MappingProxyType({})
NO_ROWS: Mapping[str, LedgerRow] = MappingProxyType({})
