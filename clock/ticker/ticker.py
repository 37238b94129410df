"""The clock's loop: look at what is due, run it, commit it, sleep until the next due instant.

Actions run before their decision is committed, and the decision carries the jobs that the action pushed. A
crash in between leaves the due instant undecided, and it is caught up; a lost connection leaves the decision
in memory, and it is committed when Redis is back, before anything else fires.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from clock.clocks import Clock, from_ms
from clock.errors import Outranked, StoreError
from clock.gc_pause import uncollected
from clock.problems import Part, Problems
from clock.store.ledger.decision import Decision
from clock.store.ledger.ledger import Ledger
from clock.ticker import run_event
from clock.ticker.action_threads import ActionThreads
from clock.ticker.database_events import DatabaseEvents
from clock.ticker.decision_buffer import DecisionBuffer
from clock.ticker.decisions import Signature
from clock.ticker.dispatcher import Dispatcher
from clock.ticker.due_queue import Planned
from clock.ticker.next_due_marker import NextDueMarker
from clock.ticker.plan import Plan
from clock.ticker.remembered import Remembered
from clock.ticker.tick_callbacks import TickCallbacks
from clock.timetable import Event, Timetable

LONGEST_SLEEP_SECONDS = 1.0  # a wall clock that jumps is noticed within this
STOP_SECONDS = 10.0  # how long actions on threads may take to finish when the clock stops
RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0)  # waits while Redis is away; the last one is repeated

logger = logging.getLogger("clock.clock")


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
        act: run_event.Act = Event.run,
        use_threads: bool = True,
        on_decision: Callable[[Decision], object] = lambda _: None,
        problems: Problems | None = None,
    ) -> None:
        problems = problems or Problems(clock=clock)
        self._part: Part = problems.part("ledger")
        self._timetable = timetable
        self._clock = clock
        self._leads = leads
        self._use_threads = use_threads
        self._wake = threading.Event()
        self._stopped = False
        self._stop_by = float("inf")  # the monotonic moment until which actions on threads may run
        self._failures = 0
        self.last_look = clock.monotonic()  # when the loop last came round
        self.last_round = self.last_look  # the same, without an error
        self._marker = NextDueMarker(ledger, clock=clock)
        self._remembered = remembered = Remembered()
        self._buffer = DecisionBuffer(
            ledger,
            clock=clock,
            signature=signature,
            remembered=remembered,
            problems=problems,
            on_commit=on_decision,
        )
        self._threads = ActionThreads(timetable.settings.max_threads, self._wake.set)
        self._plan = Plan(ledger, self._threads.latest_started, remembered)
        self._database_events = DatabaseEvents(
            timetable, self._plan, clock=clock, leads=leads, on_change=self._wake.set, problems=problems
        )
        self._tick_callbacks = TickCallbacks(timetable)
        self._dispatcher = self._new_dispatcher(ledger, signature, act)

    def run(self) -> bool:
        """Tick until `stop` is called, then finish what runs and commit it; False: actions on threads run on."""
        if self._use_threads:
            self._database_events.start()
        while not self._stopped:
            self._clock.wait(self._wake, self._round())
            self._wake.clear()
        return self._finish()

    def stop(self, patience_seconds: float = STOP_SECONDS) -> None:
        """End `run` after the action in progress; may be called from any thread, and twice.

        Actions on threads get `patience_seconds` to finish.
        """
        self._stop_by = min(self._stop_by, self._clock.monotonic() + patience_seconds)
        self._stopped = True
        self._wake.set()

    def wake_up(self) -> None:
        """Look at once; may be called from any thread."""
        self._wake.set()

    def read_ledger_again(self) -> None:
        """Plan anew at the next tick: the ledger was moved on without it. For rehearsals."""
        self._forget_plan()

    def tick(self) -> None:
        """Fire and commit what is due now.

        Raises StoreUnavailable; what had been fired by then is kept, and committed by the next tick.
        """
        self._dispatcher.take_finished()
        self._commit()
        self._follow_declarations()
        if self._tick_callbacks.begin(self._clock.now()):
            with uncollected(self._plan.count_due(self._clock.now())):
                self._dispatcher.fire_due()
        self._tick_callbacks.end()
        self._mark_next_due()

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
        waiting = self._buffer.oldest
        found = self._plan.oldest_undecided, from_ms(waiting[1]) if waiting else None
        return min((at for at in found if at is not None), default=None)

    @property
    def next_firing(self) -> datetime | None:
        """When an event may fire next: at its due instant, or when a `before_tick` that said no is asked again."""
        if self._tick_callbacks.holds:
            return self._tick_callbacks.next_at
        return self._plan.next_due

    @property
    def planned(self) -> Sequence[Planned]:
        """The events and when each is due next; empty while the clock stands by."""
        return self._plan.planned

    def _new_dispatcher(self, ledger: Ledger, signature: Signature, act: run_event.Act) -> Dispatcher:
        return Dispatcher(
            self._timetable,
            self._plan,
            self._buffer,
            self._threads,
            ledger=ledger,
            clock=self._clock,
            signature=signature,
            act=act,
            use_threads=self._use_threads,
            commit=self._commit,
            may_go_on=self._may_go_on,
        )

    def _round(self) -> float:
        """One round of the loop; how many seconds to wait after it."""
        self.last_look = self._clock.monotonic()
        if not self._leads():
            self._part.rests()
            self._remembered.is_old = True
            self._forget_plan()
            self._database_events.forget()
            self._buffer.drop()
            self.last_round = self._clock.monotonic()
            return LONGEST_SLEEP_SECONDS
        try:
            self.tick()
        except Outranked:
            self._part.rests()
            self._forget_plan()
            self._database_events.forget()
            return LONGEST_SLEEP_SECONDS
        except StoreError as error:
            wait = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
            self._failures += 1
            self._part.failed(error)
            return wait
        self._part.works()
        self._failures = 0
        self.last_round = self._clock.monotonic()
        return self._seconds_to_sleep()

    def _seconds_to_sleep(self) -> float:
        if not self._plan.is_known:
            return 0.0
        if self.next_due is None:
            return LONGEST_SLEEP_SECONDS
        ahead = (self.next_due - self._clock.now()).total_seconds()
        return min(LONGEST_SLEEP_SECONDS, max(0.0, ahead))

    def _follow_declarations(self) -> None:
        """Read the ledger where that is to be done, and take over what has changed in a database."""
        if not self._use_threads:
            self._database_events.look()
        if self._plan.is_known:
            for change in self._database_events.take():
                self._plan.replace(change.gone, change.planned, change.same)
            return
        for _ in self._database_events.take():
            pass  # it is in the events that the ledger is read for
        self._plan.read([*self._timetable.events, *self._database_events.events], self._clock.now())
        self._database_events.note_orphans()

    def _forget_plan(self) -> None:
        self._plan.forget()
        self._marker.forget()

    def _may_go_on(self) -> bool:
        return not self._stopped and self._leads()

    def _commit(self) -> None:
        if self._buffer.commit():
            self._forget_plan()

    def _mark_next_due(self) -> None:
        """Tell what is due next, for others to see whether it is decided in time."""
        if self._plan.is_known and not self._marker.set(*(self._buffer.oldest or self._plan.first_due)):
            self._forget_plan()

    def _finish(self) -> bool:
        all_ended = self._threads.stop(max(0.0, self._stop_by - self._clock.monotonic()))
        self._dispatcher.take_finished()
        self._database_events.stop()
        try:
            self._buffer.commit()
        except StoreError as error:
            logger.error("%s The last run is not recorded and will run again at the next start.", error)
        return all_ended
