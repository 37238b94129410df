"""The effect of a change to a clock file: the firings that are removed, new or moved, event by event.

Events are matched by name, and by their former names (`was=`). A renamed event without `was=` is recognised by its
action and its schedule. A removed firing and a new one count as one moved firing if they are closer than half the
distance to the next. The result adds up: the old firings, minus the removed ones, plus the new ones, with the
moved ones at their new instants, are the new firings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from clock.diff.description import Described, EventFacts
from clock.rehearsal.coincidence import coincidences

FARTHEST_SECONDS = 4 * 86_400  # the farthest move of a firing
ALONE_SECONDS = 86_400  # the farthest move, if an event fires once in the span

Instants = tuple[int, ...]  # in seconds since 1970
Move = tuple[int, int]  # old and new instant, in seconds since 1970


@dataclass(frozen=True, slots=True)
class Change:
    """An event before and after the change (None: missing), and its firings, in seconds since 1970."""

    old: EventFacts | None
    new: EventFacts | None
    gone: Instants
    added: Instants
    moved: tuple[Move, ...]

    @property
    def name(self) -> str:
        """The event's new name, or its old name if it was removed."""
        event = self.new or self.old
        assert event is not None  # noqa: S101  # one of them is there
        return event.name

    @property
    def is_renamed(self) -> bool:
        """Whether the event has another name."""
        return bool(self.old and self.new and self.old.name != self.new.name)

    @property
    def keeps_state(self) -> bool:
        """Whether the event keeps its state in Redis; a renamed event needs `was=` for it."""
        return bool(self.old and self.new and (not self.is_renamed or self.old.name in self.new.was))

    @property
    def does_otherwise(self) -> bool:
        """Whether its action has changed."""
        return bool(self.old and self.new and self.old.action != self.new.action)

    @property
    def is_any(self) -> bool:
        """Whether there is a change to report."""
        is_changed = self.is_renamed or self.does_otherwise
        return bool(not (self.old and self.new) or self.gone or self.added or self.moved or is_changed)


@dataclass(frozen=True, slots=True)
class Collision:
    """Events that fire together now and did not before: how often, and the first time (seconds since 1970)."""

    events: tuple[str, ...]
    count: int
    first: int


@dataclass(frozen=True, slots=True)
class Difference:
    """All changes."""

    old: Described
    new: Described
    changes: tuple[Change, ...]
    collisions: tuple[Collision, ...]
    hazards: tuple[tuple[str, str], ...]  # (event, effect of a zone change on it), only new ones

    @property
    def is_empty(self) -> bool:
        """Whether nothing has changed."""
        return not (self.changes or self.collisions or self.hazards)

    @property
    def loses_firings(self) -> bool:
        """Whether some firings are removed."""
        return any(change.gone or change.new is None for change in self.changes)


def compare(old: Described, new: Described) -> Difference:
    """The changes from `old` to `new`, over the same span."""
    pairs = list(_matched(old, new))
    changes = tuple(change for pair in pairs if (change := _changed(*pair)).is_any)
    names = {before.name: after.name for before, after in pairs if before and after}
    return Difference(old, new, changes, tuple(_collisions(old, new, names)), tuple(_hazards(pairs)))


def _matched(old: Described, new: Described) -> Iterator[tuple[EventFacts | None, EventFacts | None]]:
    """Each event before and after, in the order of the new file; removed events come last."""
    renamed = _renamed(old, new)
    for event in new.events.values():
        before = old.events.get(event.name) or renamed.get(event.name)
        yield before, event
    taken = {*new.events, *(event.name for event in renamed.values())}
    yield from ((event, None) for event in old.events.values() if event.name not in taken)


def _renamed(old: Described, new: Described) -> dict[str, EventFacts]:
    """New name -> old event: by `was=`, by action and schedule, or by an action that only one event has."""
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
    return Change(old, new, *_paired(sorted(before - after), sorted(after - before), near))


def _near(fires: Sequence[int]) -> int:
    """How far a firing of the event may move, in seconds, and still count as the same firing."""
    gaps = [after - before for before, after in pairwise(fires)]
    return min(min(gaps) // 2, FARTHEST_SECONDS) if gaps else ALONE_SECONDS


def _paired(before: Sequence[int], after: Sequence[int], near: int) -> tuple[Instants, Instants, tuple[Move, ...]]:
    """The firings that are removed, new, and moved."""
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
    return (*gone, *before[i:]), (*added, *after[j:]), tuple(moved)


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
        if after:
            known = before.hazards if before else ()
            yield from ((after.name, text) for text in after.hazards if text not in known)
