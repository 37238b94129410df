"""A chain: of candidates the first, then each time the earliest one that lies a period after the last.

Where the next candidate is, depends on the last one, and so on back to the anchor. But where candidates leave a
gap of a period the chain goes on behind it whatever was before; and while a zone's offset stays, the candidates of
each day, or each week, are the same, so that the chain comes round, and may be followed by whole rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from clock.timetable.triggers.wall_times import WallTimes
from clock.timetable.triggers.zone_offsets import DAY, HOUR, Stretch, offsets_of

#: An instant, and the wall-clock time that it stands for.
Reading: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Chain:
    """Candidates that lie a `period` apart, in seconds: on the wall clock from a day up, in elapsed time below.

    `round`: after so many seconds of wall-clock time, the candidates are the same again.
    """

    candidates: WallTimes
    period: int
    round: int

    def is_due(self, candidate: Reading, last: Reading) -> bool:
        """Whether the candidate lies a period after the last one.

        From a day up, a time that the clocks show again counts with the first, where both are chosen.
        """
        return self._is_apart(candidate, last) or (self._has_both and candidate[1] == last[1])

    @property
    def reach(self) -> int:
        """No candidate that lies at most so far behind the last one can be due."""
        if self.period < DAY:
            return self.period - 1
        return 0 if self._has_both else max(0, self.period - DAY - 1)

    def last_by(self, after: int, anchor: int) -> Reading | None:
        """A link of the chain not after `after`, near which no candidate was: it is due whatever was due before.

        It is sought near `after` first. None: there is none near.
        """
        for reach in (2 * HOUR, 2 * DAY, self.near):
            before = found = None
            for candidate in self.candidates.readings(max(anchor, after - reach), after):
                if before is not None and self._is_apart(candidate, before):
                    found = candidate
                before = candidate
            if found is not None:
                return found
        return None

    @property
    def near(self) -> int:
        """How far back `last_by` looks."""
        return 2 * self.period + 16 * DAY

    def follow(self, link: Reading, until: int) -> Reading:
        """The last link of the chain not after `until`, of a link before it."""
        for stretch in offsets_of(self.candidates.zone).stretches(link[0], until):
            low, high = _usual(stretch)
            high = min(high, until)
            seen: dict[int, int] = {}  # place in the round -> instant
            while link[0] < stretch.stop:
                if low <= link[0] <= high:
                    lap = link[0] - seen.setdefault(link[1] % self.round, link[0])
                    rounds = (high - link[0]) // lap * lap if lap else 0
                    link = link[0] + rounds, link[1] + rounds
                following = self._following(link, until)
                if following is None:
                    return link
                link = following
        return link

    def _following(self, link: Reading, until: int) -> Reading | None:
        readings = self.candidates.readings(link[0] + self.reach, until)
        return next((candidate for candidate in readings if self.is_due(candidate, link)), None)

    def _is_apart(self, candidate: Reading, last: Reading) -> bool:
        on_wall = self.period >= DAY
        return candidate[on_wall] - last[on_wall] >= self.period

    @property
    def _has_both(self) -> bool:
        return self.period >= DAY and self.candidates.dst.fold == "both"


def _usual(stretch: Stretch) -> tuple[int, int]:
    """The instants of a stretch, low <= t <= high, in which the changes of offset around it play no part."""
    low = stretch.start + abs(stretch.before - stretch.offset)
    return low, stretch.stop - 1 - abs(stretch.following - stretch.offset)
