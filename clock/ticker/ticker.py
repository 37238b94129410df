"""The clock's loop: fire what is due, commit the decisions, sleep until the next due instant.

An action runs before its decision is committed, and the decision carries the jobs that the action pushed. After a
crash in between, the due instant is undecided and is caught up. While Redis is away, decisions stay in memory.
They are committed when Redis is back, before anything else fires.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from clock.clocks import Clock, from_ms
from clock.errors import Outranked, StoreError
from clock.gc_pause import return_memory, uncollected
from clock.problems import Part, Problems
from clock.store.ledger.decision import Decision
from clock.store.ledger.ledger import Ledger
from clock.store.ledger.next_due import Publication
from clock.ticker import log_lines
from clock.ticker.database_events import DatabaseEvents
from clock.ticker.firing.action_threads import ActionThreads
from clock.ticker.firing.decision_buffer import DecisionBuffer
from clock.ticker.firing.decisions import Outcome, Signature
from clock.ticker.firing.prepared_firings import PreparedFirings
from clock.ticker.firing.run_event import IN_PRODUCTION, ActionMode, EventRunner
from clock.ticker.firing.tick_callbacks import TickCallbacks
from clock.ticker.lost_writes import NextDueMarker, OwnCommits
from clock.ticker.planning.catch_up import Due
from clock.ticker.planning.due_queue import Planned
from clock.ticker.planning.plan import Plan
from clock.timetable import Event, Timetable

LONGEST_SLEEP_SECONDS = 1.0  # a wall clock that jumps is noticed within this
STOP_SECONDS = 10.0  # how long actions on threads may take to finish when the clock stops
RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0)  # waits while Redis is away; the last one is repeated
COMMIT_AFTER_SECONDS = 0.05  # a decision waits no longer than this for the slower actions after it
AT_ONCE = 5_000  # firings; after them the connection is free for a moment, for the heartbeat

logger = logging.getLogger("clock.clock")


class Ticker:
    """Turns the timetable's due instants into firings. `run` is the loop, `tick` its body.

    `leads` returns whether this clock may fire. When it becomes true, the ticker reads the ledger again. `mode` is
    for rehearsals.
    """

    def __init__(
        self,
        timetable: Timetable,
        *,
        ledger: Ledger,
        clock: Clock,
        signature: Signature,
        leads: Callable[[], bool] = lambda: True,
        mode: ActionMode = IN_PRODUCTION,
        problems: Problems | None = None,
    ) -> None:
        problems = problems or Problems(clock=clock)
        self._part: Part = problems.part("ledger")
        self._timetable = timetable
        self._clock = clock
        self._leads = leads
        self._use_threads = mode.use_threads
        self._wake = threading.Event()
        self._stopped = False
        self._stop_by = float("inf")  # the monotonic moment until which actions on threads may run
        self._failures = 0
        self.last_look = clock.monotonic()  # the start of the loop's last round
        self.last_round = self.last_look  # when the last round without an error ended
        self._holds_prepared = False  # decisions of prepared firings wait for the next commit
        self._marker = NextDueMarker(ledger, clock=clock)
        self._own_commits = own_commits = OwnCommits()
        self._buffer = buffer = DecisionBuffer(
            ledger, clock=clock, signature=signature, own_commits=own_commits, problems=problems
        )
        self._threads = threads = ActionThreads(timetable.settings.max_threads, self._wake.set)
        self._plan = plan = Plan(ledger, threads.latest_started, own_commits)
        self._database_events = DatabaseEvents(
            timetable, plan, clock=clock, leads=leads, on_change=self._wake.set, problems=problems
        )
        self._tick_callbacks = TickCallbacks(timetable)
        self._prepared = PreparedFirings(timetable, clock=clock, signature=signature, mode=mode)
        self._runner = EventRunner(timetable, ledger, plan, buffer, threads, clock=clock, mode=mode)

    def listen(self, listener: Callable[[Decision], object]) -> None:
        """Call `listener` with each decision that the ledger takes from now on."""
        self._buffer.listeners.append(listener)

    def run(self) -> bool:
        """Tick until `stop` is called, then commit finished runs. False: actions on threads are still running."""
        if self._use_threads:
            self._database_events.start()
        while not self._stopped:
            self._clock.wait(self._wake, self._round())
            self._wake.clear()
        all_ended = self._threads.stop(max(0.0, self._stop_by - self._clock.monotonic()))
        self._runner.take_finished()
        self._database_events.stop()
        try:
            self._buffer.commit()
        except StoreError as error:
            logger.error("%s The last run is not recorded and will run again at the next start.", error)
        return all_ended

    def stop(self, patience_seconds: float = STOP_SECONDS) -> None:
        """End `run` after the action in progress; may be called from any thread, and twice.

        Actions on threads get `patience_seconds` to finish.
        """
        self._stop_by = min(self._stop_by, self._clock.monotonic() + patience_seconds)
        self._stopped = True
        self._wake.set()

    def wake_up(self) -> None:
        """Start the next round now. May be called from any thread."""
        self._wake.set()

    def read_ledger_again(self) -> None:
        """Read the ledger at the next tick, as it was changed from outside. For rehearsals."""
        self._plan.forget()

    def tick(self) -> None:
        """Fire and commit the events that are due now.

        Raises StoreUnavailable. Decisions made by then are kept, and the next tick commits them.
        """
        self._runner.take_finished()
        self._commit()
        self._follow_declarations()
        if self._tick_callbacks.begin(self._clock.now()):
            due = self._plan.count_due(self._clock.now())
            if due or self._runner.triggered:  # of a tick that Redis interrupted; they are not logged yet
                with uncollected(due):
                    self._fire_due()
        self._tick_callbacks.end()
        # Other processes see by the marker whether the next due instant is decided in time.
        if self._plan.is_known and not self._marker.set(*(self._buffer.oldest or self._plan.queue.first_due)):
            self._plan.forget()

    @property
    def next_due(self) -> datetime | None:
        """When the next firing or tick callback is due; None: never."""
        due = self.next_firing
        return min((at for at in (due, self._tick_callbacks.next_at) if at is not None), default=None)

    @property
    def oldest_undecided(self) -> datetime | None:
        """The earliest due instant not fired yet; None: none is due, or another clock leads. From any thread."""
        waiting = self._buffer.oldest
        found = self._plan.oldest_undecided, from_ms(waiting[1]) if waiting else None
        return min((at for at in found if at is not None), default=None)

    @property
    def next_firing(self) -> datetime | None:
        """When an event may fire next: at its due instant, or at the next call of a `before_tick` that vetoed."""
        if self._tick_callbacks.holds:
            return self._tick_callbacks.next_at
        return self._plan.queue.next_due

    @property
    def planned(self) -> Sequence[Planned]:
        """The events and when each is due next; empty while the clock stands by."""
        return self._plan.queue.planned

    def _fire_due(self) -> None:
        """Fire what is due now. Raises StoreUnavailable; instants not fired yet stay in the plan."""
        for event, missed in self._plan.take_due(self._clock.now()):
            self._runner.add_missed(event, missed)
        to_fire = self._plan.to_fire
        can_publish = len(to_fire) == 1 and to_fire[0][0].is_planned_quickly
        committed = self._clock.monotonic()
        try:
            self._runner.read_pauses(event for event, _ in to_fire)
            while to_fire and self._may_go_on():
                event, due = to_fire[0]
                if self._prepared.include(event):
                    self._fire_prepared(to_fire)
                    continue
                held = self._held_up(event, due)
                if not to_fire:
                    break  # a commit found that the ledger has moved on without this clock
                to_fire.popleft()
                if held is not None:
                    self._runner.hold_up(event, due, held)
                else:
                    self._runner.fire(event, due)
                self._buffer.begin()
                if self._clock.monotonic() - committed > COMMIT_AFTER_SECONDS:
                    self._commit()
                    committed = self._clock.monotonic()
            publication = self._publication() if can_publish and not to_fire and self._holds_prepared else None
            self._holds_prepared = False
            if publication is not None:
                self._marker.expect((publication.event, publication.due_ms))
            if self._buffer.commit(publication):
                self._plan.forget()
            elif publication is not None:
                self._marker.note(publication)
            log_lines.all_triggered(self._runner.triggered, self._buffer.untaken)  # last: thousands take a while
        finally:
            self._plan.look_ahead()

    def _publication(self) -> Publication | None:
        """The next due marker after the only firing of this tick, for the script that commits it.

        The firing waits while the next due instant is computed, so the event must be planned quickly.
        """
        self._plan.look_ahead()
        event, due_ms = self._plan.queue.first_due
        return None if event is None else Publication(event, due_ms)

    def _fire_prepared(self, to_fire: deque[tuple[Event, Due]]) -> None:
        self._holds_prepared = True
        made = self._prepared.made(to_fire, self._runner.triggered, self._may_go_on)
        for count, decision in enumerate(made, 1):
            self._buffer.begin(decision)
            if count % AT_ONCE == 0:
                self._commit()

    def _held_up(self, event: Event, due: Due) -> Outcome | None:
        self._settle_before_user_code()
        if event.overlap != "allow":
            self._runner.take_finished()
            self._commit()  # the check must find in Redis what fired a moment ago
        return self._runner.held_up(event, due) if self._plan.to_fire else None

    def _settle_before_user_code(self) -> None:
        """Leave nothing outstanding in Redis while the user's code runs, as it may take any time."""
        if self._holds_prepared:
            self._holds_prepared = False
            self._commit()
        else:
            self._buffer.join()

    def _round(self) -> float:
        """Do one round of the loop. Returns the seconds to wait after it."""
        self.last_look = self._clock.monotonic()
        if not self._leads():
            self._part.rests()
            self._own_commits.is_old = True
            self._plan.forget()
            self._database_events.forget()
            self._buffer.drop()
            self.last_round = self._clock.monotonic()
            return LONGEST_SLEEP_SECONDS
        try:
            self.tick()
        except Outranked:
            self._part.rests()
            self._plan.forget()
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
        due = self.next_due
        if due is None:
            return LONGEST_SLEEP_SECONDS
        ahead = (due - self._clock.now()).total_seconds()
        return min(LONGEST_SLEEP_SECONDS, ahead)  # negative: the clock does not wait

    def _follow_declarations(self) -> None:
        """Read the ledger if the plan is unknown; else apply the changes of database rows to the plan."""
        if not self._use_threads:
            self._database_events.look()
        if self._plan.is_known:
            for change in self._database_events.take():
                self._plan.replace(change.gone, change.planned, change.same)
            return
        for _ in self._database_events.take():
            pass  # these changes are in the events that are read next
        self._marker.forget()
        self._plan.read([*self._timetable.events, *self._database_events.events], self._clock.now())
        self._database_events.note_orphans()
        return_memory(len(self._plan.queue.planned))

    def _may_go_on(self) -> bool:
        return not self._stopped and self._leads()

    def _commit(self) -> None:
        if self._buffer.commit():
            self._plan.forget()
