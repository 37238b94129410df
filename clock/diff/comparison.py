"""What a change to a clock file changes: the firings that are gone, new or moved, event by event.

Events are matched by name, and by the names that they had before (`was=`); a renamed event without `was=` is
recognised by what it does and when. A firing that is
gone and one that is new are one that has moved, where they are nearer than half the way to the next. Whatever
is told adds up: the old firings, less what is gone, with what has moved where it has moved to, and what is new,
are the new ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from clock.diff.description import Described, EventFacts
from clock.rehearsal.coincidence import coincidences

FARTHEST_SECONDS = 4 * 86_400  # no firing is said to have moved farther
ALONE_SECONDS = 86_400  # or than this, where an event fires once in the span

Move = tuple[int, int]  # from when to when, in seconds since 1970


@dataclass(frozen=True, slots=True)
class Change:
    """An event before and after (None: it is not there), and its firings, in seconds since 1970."""

    old: EventFacts | None
    new: EventFacts | None
    gone: tuple[int, ...]
    added: tuple[int, ...]
    moved: tuple[Move, ...]

    @property
    def name(self) -> str:
        """What it is called: the new name, where there is one."""
        event = self.new or self.old
        assert event is not None  # noqa: S101  # one of them is there
        return event.name

    @property
    def is_renamed(self) -> bool:
        """Whether the event goes by another name."""
        return bool(self.old and self.new and self.old.name != self.new.name)

    @property
    def keeps_state(self) -> bool:
        """Whether the event goes on from what Redis holds of it; a renamed one does if it says `was=`."""
        return bool(self.old and self.new and (not self.is_renamed or self.old.name in self.new.was))

    @property
    def does_otherwise(self) -> bool:
        """Whether its action has changed."""
        return bool(self.old and self.new and self.old.action != self.new.action)

    @property
    def is_any(self) -> bool:
        """Whether anything has changed that a reader wants to know."""
        there = self.old is not None and self.new is not None
        return bool(not there or self.gone or self.added or self.moved or self.is_renamed or self.does_otherwise)


@dataclass(frozen=True, slots=True)
class Collision:
    """Events that fire together now and did not before: how often, and first when (seconds since 1970)."""

    events: tuple[str, ...]
    count: int
    first: int


@dataclass(frozen=True, slots=True)
class Difference:
    """All that has changed."""

    old: Described
    new: Described
    changes: tuple[Change, ...]
    collisions: tuple[Collision, ...]
    hazards: tuple[tuple[str, str], ...]  # (event, what a night of changed clocks does to it), those that are new

    @property
    def is_empty(self) -> bool:
        """Whether nothing has changed."""
        return not (self.changes or self.collisions or self.hazards)

    @property
    def loses_firings(self) -> bool:
        """Whether something does not fire any more."""
        return any(change.gone or change.new is None for change in self.changes)


def compare(old: Described, new: Described) -> Difference:
    """What has changed from `old` to `new`, over the same span."""
    pairs = list(_matched(old, new))
    changes = tuple(change for pair in pairs if (change := _changed(*pair)).is_any)
    names = {before.name: after.name for before, after in pairs if before and after}
    return Difference(old, new, changes, tuple(_collisions(old, new, names)), tuple(_hazards(pairs)))


def _matched(old: Described, new: Described) -> Iterator[tuple[EventFacts | None, EventFacts | None]]:
    """Each event before and after, in the order of the new file; what is gone comes last."""
    renamed = _renamed(old, new)
    for event in new.events.values():
        before = old.events.get(event.name) or renamed.get(event.name)
        yield before, event
    taken = {*new.events, *(event.name for event in renamed.values())}
    yield from ((event, None) for event in old.events.values() if event.name not in taken)


def _renamed(old: Described, new: Described) -> dict[str, EventFacts]:
    """New name -> the old event: the new one says so, or it does the same at the same times, or alone the same."""
    gone = [event for event in old.events.values() if event.name not in new.events]
    added = [event for event in new.events.values() if event.name not in old.events]
    found = {event.name: before for event in added for before in gone if before.name in event.was}
    gone = [event for event in gone if event not in found.values()]
    for event in added:
        if event.name in found:
            continue
        alike = [other for other in gone if other.action == event.action]
        same = [other for other in alike if other.fires == event.fires or other.schedule == event.schedule]
        alone = alike if sum(other.action == event.action for other in new.events.values()) == 1 else []
        match = next(iter(same), alone[0] if len(alone) == 1 else None)
        if match is not None:
            gone.remove(match)
            found[event.name] = match
    return found


def _changed(old: EventFacts | None, new: EventFacts | None) -> Change:
    before, after = set(old.fires if old else ()), set(new.fires if new else ())
    near = min(_near(sorted(before)), _near(sorted(after)))
    gone, added, moved = _paired(sorted(before - after), sorted(after - before), near)
    return Change(old, new, tuple(gone), tuple(added), tuple(moved))


def _near(fires: Sequence[int]) -> int:
    """How far a firing of the event may move, in seconds, and still be taken for the same."""
    gaps = [after - before for before, after in pairwise(fires)]
    return min(min(gaps) // 2, FARTHEST_SECONDS) if gaps else ALONE_SECONDS


def _paired(before: Sequence[int], after: Sequence[int], near: int) -> tuple[list[int], list[int], list[Move]]:
    """What is gone, what is new, and what has moved from where to where."""
    gone: list[int] = []
    added: list[int] = []
    moved: list[Move] = []
    i = j = 0
    while i < len(before) and j < len(after):
        if abs(before[i] - after[j]) <= near:
            moved.append((before[i], after[j]))
            i, j = i + 1, j + 1
        elif before[i] < after[j]:
            gone.append(before[i])
            i += 1
        else:
            added.append(after[j])
            j += 1
    return [*gone, *before[i:]], [*added, *after[j:]], moved


def _collisions(old: Described, new: Described, names: Mapping[str, str]) -> Iterator[Collision]:
    known = {frozenset(names.get(name, name) for name in group) for group in _groups(old)}
    for group, fires in _groups(new).items():
        if frozenset(group) not in known:
            yield Collision(group, len(fires), min(fires))


def _groups(of: Described) -> dict[tuple[str, ...], list[int]]:
    fires = ((event.name, event.fires) for event in of.events.values())
    return coincidences(fires, (of.end - of.start).days)


def _hazards(pairs: Sequence[tuple[EventFacts | None, EventFacts | None]]) -> Iterator[tuple[str, str]]:
    for before, after in pairs:
        for text in after.hazards if after else ():
            if before is None or text not in before.hazards:
                yield after.name if after else "", text
