"""The clock as a whole: leader, ticker and ledger put together, in its own process or within a worker's."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

from clock.clocks import Clock, ServerClock
from clock.printable import counted, shortened_list
from clock.problems import Problems
from clock.store import Redis, keys
from clock.store.jobs.unserved_queues import UnservedQueues
from clock.store.ledger.clock_register import ClockRegister
from clock.store.ledger.decision import Decision
from clock.store.ledger.lease import Lease
from clock.store.ledger.ledger import RedisLedger
from clock.store.server.checks.losses import warn_of_losses
from clock.store.server.checks.permissions import SelfCheck, of_clock
from clock.store.server.sending import durable_of
from clock.ticker.heartbeat import Heartbeat
from clock.ticker.identity import ClockIdentity
from clock.ticker.leader import Leader
from clock.ticker.side_tasks import (
    CHECK_SECONDS,
    RECORD_SECONDS,
    WRITE_SECONDS,
    KeptOut,
    LatenessLog,
    record_timetable,
    repeat,
)
from clock.ticker.ticker import STOP_SECONDS, Ticker
from clock.timetable import Timetable

NAMED = 30  # events in the first line of the log
CONNECTIONS = 2  # the lease's; that of the ledger and the heartbeat, whose commands are short
GRACE_SECONDS = 1.0  # what is done after the actions have ended: the last commit
HAND_OVER_SECONDS = 1.5  # for giving back the lease; without it the lease runs out by itself

#: Keys that no decision uses, so a wrong type would show at the next start only.
USED_SELDOM = (keys.LEDGER_ANCHOR, keys.LEDGER_ORPHANED, keys.LEDGER_RENAMED, keys.PAUSED)

logger = logging.getLogger("clock.clock")


class ClockProcess:
    """Fires a timetable's events at their due instants while this clock leads.

    `machine` is the machine's own clock. The lease uses `lease_redis`, everything else `redis`: a slow command
    must not delay the renewal of the lease. `on_stuck` is called when actions still run after their time to end:
    only the end of the process ends them.
    """

    def __init__(
        self,
        timetable: Timetable,
        redis: Redis,
        *,
        lease_redis: Redis,
        identity: ClockIdentity,
        machine: Clock,
        on_stuck: Callable[[], object] = lambda: None,
    ) -> None:
        self._timetable = timetable
        self._redis = redis
        self._on_stuck = on_stuck
        self.clock: Clock = ServerClock(machine)  # Redis's time, as this process knows it
        self._ended = threading.Event()
        self._problems = problems = Problems(clock=self.clock, on_fatal=self.stop)
        self._leader = self._new_leader(lease_redis, identity)
        self._ticker = self._new_ticker(identity)
        self._heartbeat = Heartbeat(
            ClockRegister(redis),
            identity,
            ticker=self._ticker,
            leads=lambda: self._leader.leads,
            clock=self.clock,
            problems=problems,
            unserved=UnservedQueues(redis, clock=self.clock).problems,
        )
        self._identity = identity
        self._lateness_log = LatenessLog(redis, clock=self.clock)
        self._kept_out = KeptOut(RedisLedger(redis), clock=self.clock)
        self._ticker.listen(self._lateness_log.note)
        self._ticker.listen(self._kept_out.note)
        self._self_check = SelfCheck(
            redis, of_clock(durable_of(redis)), USED_SELDOM, clock=self.clock, problems=problems
        )

    def listen(self, listener: Callable[[Decision], object]) -> None:
        """Call `listener` with each decision that the ledger takes from now on."""
        self._ticker.listen(listener)

    @property
    def leads(self) -> bool:
        """Whether this clock is the leader."""
        return self._leader.leads

    @property
    def seconds_since_look(self) -> float:
        """How long ago the loop came round, with success or without."""
        return self.clock.monotonic() - self._ticker.last_look

    @property
    def seconds_since_round(self) -> float:
        """How long ago the loop came round and Redis answered."""
        return self.clock.monotonic() - self._ticker.last_round

    @property
    def seconds_overdue(self) -> float:
        """How long the oldest due instant that is not fired is past; 0: none is, or another clock leads."""
        oldest = self._ticker.oldest_undecided
        return max(0.0, (self.clock.now() - oldest).total_seconds()) if oldest else 0.0

    @property
    def problems(self) -> list[str]:
        """Why this clock is not ready."""
        return self._problems.blocking

    def run(self) -> None:
        """Work, or stand by, until `stop` is called; then finish what runs, and hand over to another clock.

        Raises StoreError if Redis refuses what this clock needs, from its start and for good.
        """
        try:
            all_ended = self._work()
        finally:
            self._ended.set()
        logger.info("Stopped")
        if not all_ended:
            self._on_stuck()
        self._problems.raise_fatal()

    def stop(self, patience_seconds: float = STOP_SECONDS) -> None:
        """Make `run` end: running actions get `patience_seconds`. May be called from any thread, and twice."""
        self._ticker.stop(patience_seconds)
        threading.Thread(target=self._give_up, args=(patience_seconds,), name="stop", daemon=True).start()

    def log_timetable(self) -> None:
        """Write the events to the log, and when each is due next."""
        planned = {item.event.name: item.next_due for item in self._ticker.planned}
        state = "is the leader" if self._leader.leads else "is on standby"
        logger.info("This clock %s; %s:", state, counted(len(self._timetable.events), "event"))
        for event in self._timetable.events:
            due = planned.get(event.name)
            logger.info("%s%s", event, f"; next run at {due.isoformat()}" if due else "")

    def _work(self) -> bool:
        """Work until `stop` is called. False: actions on threads are still running."""
        logger.info(
            "Starting clock for %s: [ %s ]",
            counted(len(self._timetable.events), "event"),
            shortened_list([event.name for event in self._timetable.events], NAMED, between=" "),
        )
        logger.info("This clock uses %d connections to Redis, one of them only for the lease", CONNECTIONS)
        self._self_check.look()
        self._problems.raise_fatal()
        self._start(self._problems.watch_until, "problems")
        self._start(self._self_check.run, "self-check")
        self._repeat(self._record_timetable, RECORD_SECONDS, "timetable log")
        self._repeat(self._lateness_log.write, WRITE_SECONDS, "lateness log")
        self._repeat(self._kept_out.check, CHECK_SECONDS, "kept-out jobs")
        warn_of_losses(self._redis)
        self._leader.start()
        self._heartbeat.start()
        all_ended = self._ticker.run()
        self._leader.stop()
        self._heartbeat.stop()
        return all_ended

    def _new_leader(self, redis: Redis, identity: ClockIdentity) -> Leader:
        name, release = identity.name, identity.release
        lease = Lease(redis, identity=name, release=release.name, rank=release.rank)
        return Leader(
            lease,
            identity=name,
            clock=self.clock,
            on_lead=lambda: self._ticker.wake_up(),
            problems=self._problems,
        )

    def _new_ticker(self, identity: ClockIdentity) -> Ticker:
        return Ticker(
            self._timetable,
            ledger=RedisLedger(self._redis, release=identity.release.name, rank=identity.release.rank),
            clock=self.clock,
            signature=identity.signature,
            leads=lambda: self._leader.leads,
            problems=self._problems,
        )

    def _start(self, loop: Callable[[threading.Event], object], name: str) -> None:
        threading.Thread(target=loop, args=(self._ended,), name=name, daemon=True).start()

    def _repeat(self, task: Callable[[], bool | None], seconds: float, name: str) -> None:
        self._start(partial(repeat, task, seconds, self.clock), name)

    def _record_timetable(self) -> bool:
        return self._leader.leads and record_timetable(self._redis, self._timetable, self._identity)

    def _give_up(self, patience_seconds: float) -> None:
        """Hand over although an action or Redis holds the clock's own thread; another clock fires the action."""
        if self.clock.wait(self._ended, patience_seconds + GRACE_SECONDS):
            return
        logger.warning("An action or a Redis command is still running after %g s; abandoning it", patience_seconds)
        handing_over = threading.Thread(target=self._leader.stop, name="hand over", daemon=True)
        handing_over.start()
        handing_over.join(HAND_OVER_SECONDS)
        self._on_stuck()
