"""All that pages read, behind one object; it reads through `clock.inspection` and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from clock.clocks import Clock
from clock.errors import SourceFailed
from clock.inspection.doctor.doctor import Circumstances, examine
from clock.inspection.doctor.finding import Finding
from clock.inspection.events import event_rows
from clock.inspection.events.schedules import with_schedules
from clock.inspection.opening import Redis
from clock.inspection.status import Status, status
from clock.lint.finding import Finding as Hazard
from clock.lint.rules import event_findings
from clock.rehearsal.forecast import Forecast, forecast, load_of, measured_seconds
from clock.timetable import Event, Timetable, with_rows
from clock.web.cache import Background, Cached, Found, Overview

logger = logging.getLogger("clock.web")

STATUS_SECONDS = 5.0  # every page shows it; with 1,000 processes, a look takes some 50 ms
NAMES_SECONDS = 5.0
GRACE_SECONDS = 15.0  # for which a read may be older while a thread reads again
ROWS_SECONDS = 60.0  # the rows are read by the user's own function
FILE_SECONDS = 1e9  # a clock file is loaded once
MOST_SIZES = 60  # of a queue: some minutes of visits
MOST_QUEUES = 500
FINDINGS_SECONDS = 30.0  # the doctor reads the whole ledger
MOST_HAZARDS = 500  # events whose findings are kept for the day
FORECAST_SECONDS = 60.0
DEFAULT_RUN_SECONDS = 1.0  # of a job class without measured runs, as in `clock forecast`
CONNECTIONS_PER_WORKER = 12  # its threads, ten by default, and two more


Names = tuple[Sequence[str], Sequence[str]]  # of all events: in the order of the clock file, and of the alphabet


@dataclass(frozen=True, slots=True)
class Span:
    """The subject of a forecast: its start (None: the present), its days, and the threads of the workers."""

    start: datetime | None
    days: int
    slots: int


@dataclass(frozen=True)
class Source:
    """The sources of a dashboard: a connection, the timetable (None: no clock file is here), and Redis's time.

    `url` is the server's address, which is never shown; `place` is the same without its password. `trace_url` is
    the address of a trace, with `{trace_id}` in it (empty: traces have no links).
    """

    redis: Redis
    timetable: Timetable | None
    clock: Clock
    url: str = ""
    place: str = ""
    trace_url: str = ""


class Data:
    """Reads for the pages. Every method raises StoreUnavailable if Redis does not answer."""

    def __init__(self, source: Source) -> None:
        self.source = source
        clock, rows_seconds = source.clock, ROWS_SECONDS if source.timetable else FILE_SECONDS
        cached = partial(Cached, clock=clock, grace_seconds=GRACE_SECONDS)
        #: Processes, queues, sizes and problems.
        self.status: Cached[Status] = cached(self._look, STATUS_SECONDS)
        #: The findings of `clock doctor`.
        self.findings: Cached[Sequence[Finding]] = cached(
            lambda: examine(self.redis, Circumstances(source.url, timedelta(0), CONNECTIONS_PER_WORKER)),
            FINDINGS_SECONDS,
        )
        #: Event -> due instant in ms of its latest missed run in the last 7 days.
        self.missed: Cached[Mapping[str, int]] = cached(
            lambda: event_rows.missed_events(self.redis, self.now()), NAMES_SECONDS
        )
        #: The names of the events that are paused.
        self.paused: Cached[frozenset[str]] = cached(
            lambda: event_rows.paused_events(self.redis, self.sorted_names(), self.now()), NAMES_SECONDS
        )
        self._names: Cached[Names] = cached(self._look_for_names, NAMES_SECONDS)
        self._declared = Cached(self._look_for_declared, rows_seconds, clock=clock, grace_seconds=ROWS_SECONDS)
        #: Event -> the words by which a search finds it.
        self.searched: Cached[Mapping[str, str]] = cached(self._find_words, rows_seconds)
        #: The forecasts of spans. They raise ConfigurationError for too many runs.
        self.forecasts = Background(self._forecast, FORECAST_SECONDS, clock=clock)
        self._overview = Overview(
            lambda names: event_rows.summaries(self.redis, names, self.declared, self.now()), clock=clock
        )
        #: Queue -> its sizes that this dashboard has seen, the oldest first; written by the one thread in `_look`.
        self.queue_sizes: dict[str, tuple[int, ...]] = {}
        self._hazards: dict[str, tuple[Event, date, Sequence[Hazard]]] = {}

    @property
    def redis(self) -> Redis:
        """The connection, for functions of `clock.inspection`."""
        return self.source.redis

    @property
    def declared(self) -> Mapping[str, Event]:
        """The events of the clock file, of database rows and of run-time schedules, at most a minute old."""
        timetable = self._declared()
        return timetable.by_name if timetable else {}

    def _look_for_declared(self) -> Timetable | None:
        """The events now. If the rows of a database cannot be read, the events of the clock file."""
        timetable = self.source.timetable
        try:
            return with_rows(with_schedules(timetable, self.redis)) if timetable else None
        except SourceFailed as error:
            logger.warning("The dashboard could not read the events of a database: %s", error)
            return timetable

    def _find_words(self) -> Mapping[str, str]:
        return {name: f"{name} {event.schedule} {event.zone}".lower() for name, event in self.declared.items()}

    def now(self) -> datetime:
        """The present instant, by Redis's clock."""
        return self.source.clock.now()

    def event_names(self) -> Sequence[str]:
        """The names of all events; those of the clock file come first, in its order."""
        return self._names()[0]

    def sorted_names(self) -> Sequence[str]:
        """The names of all events in the order of the alphabet."""
        return self._names()[1]

    def overview(self, patience_seconds: float = 0.0) -> Found:
        """The summaries of all events that have been read so far. 10,000 events take a second or two."""
        return self._overview.get(self.sorted_names(), patience_seconds)

    def hazards(self, event: Event, now: datetime) -> Sequence[Hazard]:
        """The findings of `clock check` about an event. Its condition is not called."""
        kept = self._hazards.get(event.name)
        if kept is None or kept[0] is not event or kept[1] != now.date():
            kept = event, now.date(), event_findings(event, now)
            if len(self._hazards) >= MOST_HAZARDS:
                self._hazards.clear()
            self._hazards[event.name] = kept
        return kept[2]

    def events(self, names: Sequence[str], now: datetime, count: int) -> list[event_rows.EventRow]:
        """Events, each with up to `count` decisions."""
        return event_rows.event_rows_of(self.redis, names, self.declared, now, count)

    def _forecast(self, span: Span) -> Forecast:
        timetable = self._declared()
        assert timetable is not None  # noqa: S101  # the page asks only with a clock file
        measured = measured_seconds(self.redis, self.now())
        start = span.start or self.now().replace(second=0, microsecond=0)
        begin = start.astimezone(timetable.settings.tz)
        end = begin + timedelta(days=span.days)
        return forecast(load_of(timetable, begin, end, seconds=measured, default=DEFAULT_RUN_SECONDS), span.slots)

    def changed(self) -> None:
        """Forget cached reads: an action has changed something."""
        for kept in (self.status, self.paused, self._names, self._overview):
            kept.forget()

    def schedules_changed(self) -> None:
        """Forget the events that were read: a schedule was changed at run time."""
        self._declared.forget()
        self.searched.forget()

    def _look(self) -> Status:
        found = status(self.redis, self.now(), with_progress=False)
        for view in found.queues[:MOST_QUEUES]:
            self.queue_sizes[view.name] = (*self.queue_sizes.get(view.name, ())[1 - MOST_SIZES :], view.size)
        return found

    def _look_for_names(self) -> Names:
        timetable = self.source.timetable
        names = event_rows.event_names(
            self.redis, self.declared, also_others=timetable is None or bool(timetable.synced)
        )
        return names, sorted(names, key=str.lower)
