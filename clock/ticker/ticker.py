"""The clock's loop: look at what is due, run it, commit it, sleep until the next due instant.

Actions run before their decision is committed, and the decision carries the jobs that the action pushed. A
crash in between leaves the due instant undecided, and it is caught up; a lost connection leaves the decision
in memory, and it is committed when Redis is back, before anything else fires.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from functools import partial
from operator import itemgetter

from clock.clocks import Clock, from_ms, to_ms
from clock.errors import StoreError
from clock.store.ledger import Entry, Ledger
from clock.ticker import firing
from clock.ticker.action_threads import ActionThreads
from clock.ticker.agenda import Agenda, Planned
from clock.ticker.catch_up import Due, Missed, owed
from clock.ticker.journal import Journal, Signature
from clock.ticker.tick_callbacks import TickCallbacks
from clock.timetable import Event, Timetable

LONGEST_SLEEP_SECONDS = 1.0  # a wall clock that jumps is noticed within this
COMMIT_AFTER_SECONDS = 0.05  # what has fired waits no longer than this for the slower actions after it
SLOW_SECONDS = 1.0  # an action that holds up the loop for longer is named in a warning
STOP_SECONDS = 10.0  # how long actions on threads may take to finish when the clock stops
RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0)  # waits while Redis is away; the last one is repeated

logger = logging.getLogger(__name__)


class Ticker:
    """Turns the timetable's due instants into firings. `tick` is the body of the loop that `run` is.

    `leads` says whether this clock may work; while it says no the ticker stands by, and when it says yes
    again the ledger is read anew. `act` and `use_threads` are for rehearsals.
    """

    def __init__(
        self,
        timetable: Timetable,
        *,
        ledger: Ledger,
        clock: Clock,
        signature: Signature,
        leads: Callable[[], bool] = lambda: True,
        act: firing.Act = Event.run,
        use_threads: bool = True,
    ) -> None:
        self._timetable = timetable
        self._ledger = ledger
        self._clock = clock
        self._leads = leads
        self._act = act
        self._use_threads = use_threads
        self._wake = threading.Event()
        self._stopped = False
        self._failures = 0
        self.last_round = clock.monotonic()  # when the loop last came round without an error
        self._agenda: Agenda | None = None  # None: the ledger has to be read first
        self._to_fire: deque[tuple[Event, Due]] = deque()
        self._journal = Journal(ledger, clock=clock, signature=signature)
        self._threads = ActionThreads(timetable.settings.max_threads, self._wake.set)
        self._tick_callbacks = TickCallbacks(timetable)

    def run(self) -> None:
        """Tick until `stop` is called, then finish what runs and commit it."""
        while not self._stopped:
            self._clock.wait(self._wake, self._round())
            self._wake.clear()
        self._finish()

    def stop(self) -> None:
        """End `run` after the action in progress; may be called from any thread, and twice."""
        self._stopped = True
        self._wake.set()

    def tick(self) -> None:
        """Fire and commit what is due now.

        Raises StoreUnavailable; what had been fired by then is kept, and committed by the next tick.
        """
        self._take_finished()
        self._journal.commit()
        if self._agenda is None:
            self._agenda = self._read_ledger()
        if self._tick_callbacks.begin(self._clock.now()):
            self._plan_due(self._agenda, self._clock.now())
            self._fire_planned()
        self._tick_callbacks.end()
        self._journal.commit()

    @property
    def next_due(self) -> datetime | None:
        """When there is something to be done next; None: never."""
        due = self.next_firing
        return min((at for at in (due, self._tick_callbacks.next_at) if at is not None), default=None)

    @property
    def oldest_undecided(self) -> datetime | None:
        """The earliest due instant not fired yet, ahead or overdue; None: there is none, or another clock leads.

        May be asked from any thread.
        """
        agenda, planned = self._agenda, list(self._to_fire)
        ahead = agenda.next_due if agenda else None
        return min([*(due.at for _, due in planned), *([ahead] if ahead else [])], default=None)

    @property
    def next_firing(self) -> datetime | None:
        """When an event may fire next: at its due instant, or when a `before_tick` that said no is asked again."""
        if self._tick_callbacks.holds:
            return self._tick_callbacks.next_at
        return self._agenda.next_due if self._agenda else None

    def _round(self) -> float:
        """One round of the loop; how many seconds to wait after it."""
        if not self._leads():
            self._agenda = None
            self._to_fire.clear()
            self.last_round = self._clock.monotonic()
            return LONGEST_SLEEP_SECONDS
        try:
            self.tick()
        except StoreError as error:
            wait = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
            self._failures += 1
            logger.error("%s Nothing is lost; trying again in %g s.", error, wait)
            return wait
        if self._failures:
            logger.info("Redis is back")
            self._failures = 0
        self.last_round = self._clock.monotonic()
        return self._seconds_to_sleep()

    def _seconds_to_sleep(self) -> float:
        if self.next_due is None:
            return LONGEST_SLEEP_SECONDS
        return min(LONGEST_SLEEP_SECONDS, max(0.0, (self.next_due - self._clock.now()).total_seconds()))

    def _read_ledger(self) -> Agenda:
        events = self._timetable.events
        whole_second = to_ms(self._clock.now()) // 1000 * 1000
        entries = self._ledger.declare([(event.name, event.declaration) for event in events], whole_second)
        return Agenda(
            Planned(event, anchor=from_ms(entry.anchor_ms), decided=self._decided(event, entry))
            for event, entry in zip(events, entries, strict=True)
        )

    def _decided(self, event: Event, entry: Entry) -> datetime:
        """The last due instant that needs no firing: decided in the ledger, or running on a thread here."""
        decided = from_ms(entry.decided_ms)
        started = self._threads.latest_started(event.name)
        return decided if started is None else max(decided, started.at)

    def _plan_due(self, agenda: Agenda, now: datetime) -> None:
        """Move what is due at `now` from the agenda to what is to be fired, ordered by due instant."""
        fires = []
        for place, item in agenda.take_due(now):
            owes = owed(item.event, anchor=item.anchor, decided=item.decided, now=now)
            for missed in owes.missed:
                self._add_missed(item.event, missed)
            fires += [(due.at, place, item.event, due) for due in owes.fires]
            item.decided = owes.decided
            agenda.put_back(place, item)
        fires.sort(key=itemgetter(0, 1))
        self._to_fire.extend((event, due) for _, _, event, due in fires)

    def _fire_planned(self) -> None:
        committed = self._clock.monotonic()
        while self._to_fire and not self._stopped:
            event, due = self._to_fire.popleft()
            logger.info("Triggering %r", event.name, extra={"event": event.name, "due": due.at.isoformat()})
            run = partial(firing.run, self._timetable, event, due, self._act)
            if self._runs_on_thread(event):
                self._threads.start(event, due, run)
                continue
            started = self._clock.monotonic()
            self._journal.add_outcome(event, due, run())
            finished = self._clock.monotonic()
            if finished - started > SLOW_SECONDS:
                self._warn_of_slow(event, finished - started)
            if finished - committed > COMMIT_AFTER_SECONDS:
                self._journal.commit()
                committed = self._clock.monotonic()

    def _add_missed(self, event: Event, missed: Missed) -> None:
        if self._runs_on_thread(event):
            self._threads.add_missed(event, missed)
        else:
            self._journal.add_missed(event, missed)

    def _runs_on_thread(self, event: Event) -> bool:
        return event.thread and self._use_threads

    def _take_finished(self) -> None:
        for event, about, outcome in self._threads.take():
            if isinstance(about, Missed):
                self._journal.add_missed(event, about)
            elif outcome is not None:
                self._journal.add_outcome(event, about, outcome)

    def _warn_of_slow(self, event: Event, seconds: float) -> None:
        late = self._agenda.due_by(self._clock.now()) if self._agenda else []
        logger.warning(
            "%r took %.1f s in the clock's own thread%s; use thread=True, or let it enqueue a job",
            event.name,
            seconds,
            f" and made late: {', '.join(late)}" if late else "",
        )

    def _finish(self) -> None:
        self._threads.stop(STOP_SECONDS)
        self._take_finished()
        try:
            self._journal.commit()
        except StoreError as error:
            logger.error("%s What was fired last is not recorded, and will fire again at the next start.", error)
