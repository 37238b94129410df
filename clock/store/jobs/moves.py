"""Claimed jobs, and their moves out of the jobs in progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from clock.errors import StoreError
from clock.store import keys

#: The payload of each job with limits or rates contains this, and hardly any other payload.
LIMITED = b'limits"'
#: A payload of ours that has rates only starts with this.
ONLY_RATES = b'{"limits":[]'
#: A payload of ours that has limits starts with this; the next "]" ends them, unless a name has one.
OWN_LIMITS = b'{"limits":[{'


def limits_text(payload: bytes) -> bytes:
    """The start of a payload of ours, up to the end of its limits; b"": another program wrote it."""
    return payload[: payload.find(b"]") + 1] if payload.startswith(OWN_LIMITS) else b""


def limits_if_any(payload: bytes) -> bytes | None:
    """The text of a payload's limits (`limits_text`); None if it has none."""
    if LIMITED not in payload or payload.startswith(ONLY_RATES):
        return None
    return limits_text(payload)


class Claimed(msgspec.Struct, frozen=True):
    """A job in progress: its number in the worker's hash, its queue, and its raw payload.

    `limits` is the start of the payload up to the end of its limits, or b"" if another program wrote it; None if
    the job has no limits.
    """

    number: int
    queue: str
    payload: bytes
    limits: bytes | None = None

    @property
    def entry(self) -> bytes:
        """The value in the hash."""
        return self.queue.encode() + b"\n" + self.payload


@dataclass(frozen=True, slots=True)
class Move:
    """The next place of a job in progress: `queue` name, `dead` at a score, or `parked` under a class's name.

    `field` is its field in the worker's hash; empty: the job's number. `lock` (key, jid) is freed with the move.
    """

    job: Claimed
    where: Literal["queue", "dead", "parked"]
    name: str | float
    payload: bytes | str
    field: bytes = b""
    lock: tuple[str, str] | None = None

    @property
    def target(self) -> str:
        """The key that it goes to."""
        if self.where == "dead":
            return keys.DEAD
        return (keys.QUEUE if self.where == "queue" else keys.PARKED_JOBS) + str(self.name)


class CannotMove(StoreError):
    """Jobs that stay in progress, because the keys that they go to have a wrong type."""

    def __init__(self) -> None:
        super().__init__()
        self.moves: list[Move] = []
        self._errors: dict[str, str] = {}  # key -> Redis's error

    def add(self, move: Move, error: str) -> None:
        """Add a job that was not moved."""
        self.moves.append(move)
        self._errors[move.target] = error

    def __str__(self) -> str:
        words = "; ".join(f"{key!r}: {error}" for key, error in self._errors.items())
        return f"{len(self.moves)} jobs stay in progress, because another program has used these keys: {words}."
