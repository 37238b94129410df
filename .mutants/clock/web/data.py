"""All that pages read, behind one object; it reads through `clock.inspection` and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from clock.clocks import Clock
from clock.errors import SourceFailed
from clock.inspection import Circumstances, Finding, Status, examine, status
from clock.inspection.events.event_rows import EventRow, event_names, event_rows_of
from clock.inspection.events.schedules import with_schedules
from clock.inspection.opening import Redis
from clock.timetable import Event, Timetable, with_rows
from clock.web.cache import Cached

logger = logging.getLogger("clock.web")

STATUS_SECONDS = 5.0  # every page shows it; with 1,000 processes, a look takes some 50 ms
NAMES_SECONDS = 5.0
ROWS_SECONDS = 60.0  # the rows are read by the user's own function
FILE_SECONDS = 1e9  # a clock file is loaded once
MOST_SIZES = 60  # of a queue: some minutes of visits
MOST_QUEUES = 500
FINDINGS_SECONDS = 30.0  # the doctor reads the whole ledger
CONNECTIONS_PER_WORKER = 12  # its threads, ten by default, and two more


@dataclass(frozen=True)
class Source:
    """The sources of a dashboard: a connection, the timetable (None: no clock file is here), and Redis's time.

    `url` is the server's address, which is never shown; `place` is the same without its password.
    """

    redis: Redis
    timetable: Timetable | None
    clock: Clock
    url: str = ""
    place: str = ""


@dataclass(frozen=True)
class Data:
    """Reads for the pages. Every method raises StoreUnavailable if Redis does not answer."""

    source: Source
    _status: Cached[Status] = field(init=False, repr=False)
    _names: Cached[tuple[Sequence[str], Sequence[str]]] = field(init=False, repr=False)
    _declared: Cached[tuple[Mapping[str, Event], Mapping[str, str]]] = field(init=False, repr=False)
    _sizes: dict[str, tuple[int, ...]] = field(init=False, repr=False)  # written by the one thread in `_look`
    _findings: Cached[Sequence[Finding]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sizes", {})
        clock = self.source.clock
        rows = ROWS_SECONDS if self.source.timetable else FILE_SECONDS
        object.__setattr__(self, "_declared", Cached(self._look_for_declared, rows, clock=clock))
        object.__setattr__(self, "_status", Cached(self._look, STATUS_SECONDS, clock=clock))
        object.__setattr__(self, "_names", Cached(self._look_for_names, NAMES_SECONDS, clock=clock))
        object.__setattr__(self, "_findings", Cached(self._examine, FINDINGS_SECONDS, clock=clock))

    @property
    def redis(self) -> Redis:
        """The connection, for functions of `clock.inspection`."""
        return self.source.redis

    @property
    def declared(self) -> Mapping[str, Event]:
        """The events of the clock file and of database rows, by name, at most a minute old."""
        return self._declared.get()[0]

    @property
    def searched(self) -> Mapping[str, str]:
        """For each of these events the words by which a search finds it."""
        return self._declared.get()[1]

    def _look_for_declared(self) -> tuple[Mapping[str, Event], Mapping[str, str]]:
        """The events now. If the rows of a database cannot be read, the events of the clock file."""
        timetable = self.source.timetable
        if timetable is None:
            return {}, {}
        try:
            events = with_rows(with_schedules(timetable, self.redis)).by_name
        except SourceFailed as error:
            logger.warning("The dashboard could not read the events of a database: %s", error)
            events = timetable.by_name
        return events, {name: f"{name} {event.schedule} {event.zone}".lower() for name, event in events.items()}

    def now(self) -> datetime:
        """The present instant, by Redis's clock."""
        return self.source.clock.now()

    def status(self) -> Status:
        """Processes, queues, sizes and problems, as of a few seconds ago."""
        return self._status.get()

    def event_names(self) -> Sequence[str]:
        """The names of all events, as of a few seconds ago; the clock file's events come first, in its order."""
        return self._names.get()[0]

    def sorted_names(self) -> Sequence[str]:
        """The names of all events in the order of the alphabet, as of a few seconds ago."""
        return self._names.get()[1]

    def events(self, names: Sequence[str], now: datetime, count: int) -> list[EventRow]:
        """Events, each with up to `count` decisions."""
        return event_rows_of(self.redis, names, self.declared, now, count)

    def queue_sizes(self, name: str) -> Sequence[int]:
        """The sizes of a queue that this dashboard has seen, the oldest first."""
        return self._sizes.get(name, ())

    def findings(self) -> Sequence[Finding]:
        """The findings of `clock doctor`, at most half a minute old."""
        return self._findings.get()

    def changed(self) -> None:
        """Forget cached reads: an action has changed something."""
        self._status.forget()
        self._names.forget()

    def schedules_changed(self) -> None:
        """Forget the events that were read: a schedule was changed at run time."""
        self._declared.forget()

    def _look(self) -> Status:
        found = status(self.redis, self.now())
        for view in found.queues[:MOST_QUEUES]:
            self._sizes[view.name] = (*self._sizes.get(view.name, ())[1 - MOST_SIZES :], view.size)
        return found

    def _examine(self) -> Sequence[Finding]:
        return examine(self.redis, Circumstances(self.source.url, timedelta(0), CONNECTIONS_PER_WORKER))

    def _look_for_names(self) -> tuple[Sequence[str], Sequence[str]]:
        timetable = self.source.timetable
        names = event_names(self.redis, self.declared, also_others=timetable is None or bool(timetable.synced))
        return names, sorted(names, key=str.lower)
