"""A ledger entry: what the ledger says of one event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from types import MappingProxyType

from clock.clocks import from_ms

LATEST_MS = 253_370_764_800_000  # the year 9999: datetimes end with it


def instant_ms(text: bytes | None) -> int | None:
    """An instant as Redis holds it, in ms since 1970; None: it is missing, or it is not an instant."""
    if text is None or not text.isdigit() or len(text) > len(str(LATEST_MS)):
        return None
    found = int(text)
    return found if found <= LATEST_MS else None


class Origin(IntEnum):
    """Where an entry comes from."""

    LEDGER = 0  # it stood there, or the event is new
    RENEWED = 1  # it was begun again, because a part of it was missing or invalid
    RESTORED = 2  # it was written again as this clock knows it: Redis had lost it
    MOVED = 3  # there is none: the event has another name now, which `counted` holds


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger says of an event; both in milliseconds since 1970, UTC.

    `counted` is what a trigger counts its next due instant from, if not from the last one; its own text.
    """

    anchor_ms: int
    decided_ms: int
    counted: str = ""
    origin: Origin = field(default=Origin.LEDGER, compare=False)

    @property
    def anchor(self) -> datetime:
        """When the event was first seen with its declaration."""
        return from_ms(self.anchor_ms)

    @property
    def decided(self) -> datetime:
        """The instant up to which every due instant is decided."""
        return from_ms(self.decided_ms)

    @property
    def previous(self) -> datetime | None:
        """The due instant decided last; None: none is since the anchor.

        Clockwork's form may be due at its anchor. An entry begins before it, or a millisecond after it, and due
        instants are whole seconds.
        """
        was_due = self.decided_ms >= self.anchor_ms and self.decided_ms % 1000 == 0
        return self.decided if was_due else None


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """An event's entry with the declaration that it belongs to."""

    declaration: str
    entry: Entry


#: No entry is known.
NOTHING: Mapping[str, Entry] = MappingProxyType({})
NO_ROWS: Mapping[str, LedgerRow] = MappingProxyType({})
