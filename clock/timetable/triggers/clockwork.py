"""Clockwork's form: `every(period, name, at=...)`.

`at` defines candidates: the whole minutes that match it, or every second of them if the period is under a minute.
The first candidate at or after the anchor is due. After it, each time the earliest candidate not before previous +
period is due. A period of a day or more is measured on the wall clock, a shorter one in elapsed time.

Each due instant depends on the one before, back to the anchor, so they form a chain. After a gap of a period
between candidates, the next due instant no longer depends on the earlier ones. While a zone's offset does not
change, the candidates of each day or week are the same. Then the chain repeats, and whole rounds are skipped at
once.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from functools import lru_cache
from typing import TypeAlias

from clock.printable import brief
from clock.timetable.triggers.calendar_days import EACH_WEEKDAY, EVERY_DAY, WEEKDAY_NUMBERS, WEEKDAYS
from clock.timetable.triggers.wall_times import AS_USUAL, EVERY_HOUR, FIXED, Dst, WallTimes
from clock.timetable.triggers.zone_offsets import DAY, FOREVER, HOUR, MINUTE, offsets_of

#: An instant and its wall-clock time.
Reading: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Chain:
    """Candidates a `period` apart, in seconds: on the wall clock from a day up, otherwise in elapsed time."""

    candidates: WallTimes
    period: int

    def is_due(self, candidate: Reading, last: Reading) -> bool:
        """Whether the candidate is at least a period after the last one.

        From a day up, a time that occurs twice counts with its first occurrence, if both are selected.
        """
        return self._is_apart(candidate, last) or (self._has_both and candidate[1] == last[1])

    @property
    def reach(self) -> int:
        """No candidate that is at most this far after the last one can be due."""
        if self.period < DAY:
            return self.period - 1
        return 0 if self._has_both else max(0, self.period - DAY - 1)

    def last_by(self, after: int, anchor: int) -> Reading | None:
        """A link of the chain not after `after` that is due in any case, by a gap before it; None: not near."""
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
        """How far back `last_by` searches."""
        return 2 * self.period + 16 * DAY

    def follow(self, link: Reading, until: int) -> Reading:
        """The last link of the chain not after `until`, starting from an earlier link."""
        for period in offsets_of(self.candidates.zone).periods(link[0], until):
            # The instants that are not affected by changes of the offset around the period.
            low = period.start + abs(period.before - period.offset)
            high = min(until, period.stop - 1 - abs(period.following - period.offset))
            seen: dict[int, int] = {}  # time of day -> instant
            while link[0] < period.stop:
                if low <= link[0] <= high:
                    lap = link[0] - seen.setdefault(link[1] % DAY, link[0])
                    rounds = (high - link[0]) // lap * lap if lap else 0
                    link = link[0] + rounds, link[1] + rounds
                readings = self.candidates.readings(link[0] + self.reach, until)
                following = next((candidate for candidate in readings if self.is_due(candidate, link)), None)
                if following is None:
                    return link
                link = following
        return link  # pragma: no cover  # the last period ends after `until`

    def _is_apart(self, candidate: Reading, last: Reading) -> bool:
        on_wall = self.period >= DAY
        return candidate[on_wall] - last[on_wall] >= self.period

    @property
    def _has_both(self) -> bool:
        return self.period >= DAY and self.candidates.dst.fold == "both"


_AT = re.compile(
    r"(?:(?P<weekday>[A-Za-z]+)\s)?(?P<hour>\d{1,2}|\*{1,2}):(?P<minute>\d\d|\*\*)(?::(?P<second>\d\d))?"
)
ACCEPTED_AT = "'16:20', '6:00', '16:20:30', '**:30', '16:**', 'Monday 16:20' or 'mon 16:20'"


@dataclass(frozen=True, slots=True)
class At:
    """A parsed `at`; None means any."""

    weekday: int | None
    hour: int | None
    minute: int | None
    second: int = 0


def parse_at(text: str) -> At:
    """Parse an `at` of Clockwork, such as "mon 16:20". Raises ValueError with the accepted forms."""
    found = _AT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"at is {brief(text)}; use {ACCEPTED_AT}")
    hour, minute = _number(found["hour"], 23), _number(found["minute"], 59)
    second = _number(found["second"] or "00", 59) or 0
    if hour is None and minute is None:
        raise ValueError(f"at is {text!r}, which matches every minute; omit it, or give the hour or the minute")
    weekday = found["weekday"] or ""
    if weekday and weekday.lower() not in WEEKDAY_NUMBERS:
        raise ValueError(f"at has the unknown weekday {weekday!r}; use Monday, mon, ...")
    return At(WEEKDAY_NUMBERS.get(weekday.lower()), hour, minute, second)


def at_words(at: At) -> str:
    """An `at` in words."""
    day = f"on {WEEKDAYS[at.weekday].capitalize()} " if at.weekday is not None else ""
    second = f":{at.second:02}" if at.second else ""
    if at.hour is None:
        return f"{day}at minute {at.minute}{second}"
    if at.minute is None:
        return f"{day}from {at.hour:02}:00 to {at.hour:02}:59"
    return f"{day}at {at.hour:02}:{at.minute:02}{second}"


def _number(text: str, highest: int) -> int | None:
    if text.startswith("*"):
        return None
    if int(text) > highest:
        raise ValueError(f"at has {text}, which must be at most {highest}; use {ACCEPTED_AT}")
    return int(text)


@dataclass(frozen=True, slots=True)
class ClockworkAt:
    """Due at candidates of `at` that are a `period`, in seconds, apart. One entry of a list of times."""

    period: int
    at: At
    zone: tzinfo
    skip_first: bool = False  # the first candidate is not due
    at_anchor: bool = True  # a candidate at the anchor itself counts
    dst: Dst = AS_USUAL

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterator[int]:
        """The due instants in (after, end], in order."""
        chain = self.chain()
        last = None if previous is None else next(chain.candidates.readings(previous - 1, previous), None)
        if last is None:
            last = self._last_by(chain, after, anchor)
        skip = last is None and self.skip_first
        start = last[0] + chain.reach if last else anchor - self.at_anchor
        for candidate in chain.candidates.readings(start, end):
            if last is None or chain.is_due(candidate, last):
                last = candidate
                if candidate[0] > after and not skip:
                    yield candidate[0]
                skip = False

    def candidates_after(self, last: int | None, after: int, end: int, anchor: int) -> Iterator[int]:
        """The candidates in (after, end] at least a period after `last`, which counted (None: none has)."""
        chain = self.chain()
        counted = None if last is None else next(chain.candidates.readings(last - 1, last), None)
        if last is None and self.skip_first:
            counted = next(chain.candidates.readings(anchor - self.at_anchor, FOREVER), None)
        start = counted[0] + chain.reach if counted else anchor - self.at_anchor
        for candidate in chain.candidates.readings(max(start, after), end):
            if counted is None or chain.is_due(candidate, counted):
                yield candidate[0]

    def _last_by(self, chain: Chain, after: int, anchor: int) -> Reading | None:
        """The last link of the chain not after `after`; None: not found."""
        known = _known_links(self, anchor)
        last = next((link for link in tuple(known) if link[0] <= after), None)  # other threads append
        if last is None or last[0] < after - chain.near:
            first = chain.candidates.readings(anchor - self.at_anchor, after)
            last = chain.last_by(after, anchor) or last or next(first, None)
        if last is not None:
            last = chain.follow(last, after)
            known.append(last)
        return last

    def chain(self) -> Chain:
        """The chain of the due instants."""
        days = EVERY_DAY if self.at.weekday is None else EACH_WEEKDAY[self.at.weekday]
        wildcard = self.period < DAY and None in (self.at.hour, self.at.minute)
        times = _times(self.at, every_second=self.period < MINUTE)
        dst = self.dst.over(EVERY_HOUR if wildcard else FIXED)
        return Chain(WallTimes(days, times, self.zone, dst), self.period)


@lru_cache(maxsize=16_384)  # for events with several times or a jitter
def _known_links(_trigger: ClockworkAt, _anchor: int) -> deque[Reading]:
    """At most one link of an event's chain, from which a later link is found faster. It only saves work."""
    return deque(maxlen=1)


@lru_cache(maxsize=1024)
def _times(at: At, *, every_second: bool) -> tuple[int, ...]:
    hours = range(24) if at.hour is None else (at.hour,)
    minutes = range(60) if at.minute is None else (at.minute,)
    seconds = range(60) if every_second and not at.second else (at.second,)
    return tuple(
        hour * HOUR + minute * MINUTE + second for hour in hours for minute in minutes for second in seconds
    )
