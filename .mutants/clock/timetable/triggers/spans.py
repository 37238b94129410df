"""Many due instants in short: the first, how many there are, and the last few.

A clock may have been away for a year, in which an event of each second has 30 million due instants. So
what triggers return can mostly be counted, and read from its end, without making each instant.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Protocol, runtime_checkable


@runtime_checkable
class Countable(Protocol):
    """Due instants that can be counted, and read from their end."""

    def __iter__(self) -> Iterator[int]: ...

    def __len__(self) -> int: ...

    def __reversed__(self) -> Iterator[int]: ...


@dataclass(frozen=True, slots=True)
class Span:
    """Due instants in order, in seconds since 1970; of the `last` there are as many as were asked for, or all."""

    first: int
    count: int
    last: Sequence[int]


def span_of(found: Iterable[int], most: int = 1) -> Span | None:
    """The span of a trigger's result, with `most` instants of its end; None without due instants."""
    if isinstance(found, Countable):
        count, last = len(found), list(islice(reversed(found), most))[::-1]
        return Span(next(iter(found)), count, last) if count else None
    instants = iter(found)
    first = next(instants, None)
    if first is None:
        return None
    kept = deque(enumerate(chain((first,), instants), start=1), maxlen=most)
    return Span(first, kept[-1][0], [instant for _, instant in kept])


@dataclass(frozen=True, slots=True)
class Joined:
    """One instant, and a range of later ones."""

    first: int
    rest: range

    def __iter__(self) -> Iterator[int]:
        return chain((self.first,), self.rest)

    def __len__(self) -> int:
        return 1 + len(self.rest)

    def __reversed__(self) -> Iterator[int]:
        return chain(reversed(self.rest), (self.first,))
