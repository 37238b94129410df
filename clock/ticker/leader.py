"""Leadership: one of several clocks works, the others are on standby.

The clock that holds the lease leads. A leader that stops releases the lease, which wakes one of the others. A
leader that dies, or is cut off from Redis, loses it within `LEASE_SECONDS`. For a moment two clocks may both think
that they lead. That does no harm: Redis decides each due instant once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from clock.clocks import Clock
from clock.errors import StoreError
from clock.problems import Problems, skewed
from clock.store.ledger.lease import Lease, Tenure
from clock.store.server.connection import SKEW_SECONDS

LEASE_SECONDS = 4.0
BEAT_SECONDS = 1.0
GROSS_SKEW_SECONDS = 5.0  # beyond this, times that user code computes are wrong; a smaller skew is only reported
EXPIRY_SECONDS = 0.01  # a clock on standby tries this long after the lease should have expired

logger = logging.getLogger("clock.clock")


class Leader:
    """Keeps trying for the lease on its own thread, so a slow action does not lose it.

    `on_lead` is called on that thread when this clock starts to lead. Each answer of Redis corrects the clock.
    """

    def __init__(
        self,
        lease: Lease,
        *,
        identity: str,
        clock: Clock,
        on_lead: Callable[[], object] = lambda: None,
        problems: Problems | None = None,
    ) -> None:
        problems = problems or Problems(clock=clock)
        self._taking, self._waiting = problems.part("lease"), problems.part("waiting for the lease")
        self._time = problems.part("time")
        self._lease = lease
        self._identity = identity
        self._clock = clock
        self._on_lead = on_lead
        self._stop = threading.Event()
        self._asking = threading.Lock()  # held while the lease is taken or released
        self._thread = threading.Thread(target=self._run, name="leader", daemon=True)
        self._leads_until = float("-inf")  # monotonic seconds; written by the thread, read by the ticker
        self._tenure: Tenure | None = None  # the last answer; None: Redis is away
        self._holder: str | None = None
        self._held_until = float("-inf")  # monotonic seconds: another clock holds the lease at least until then
        self._is_handed_over = False  # another clock has released the lease
        self._is_skewed = False

    @property
    def leads(self) -> bool:
        """Whether this clock may work now."""
        return self._clock.monotonic() < self._leads_until

    def start(self) -> None:
        """Try once now, then continue on a thread."""
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        """Stop trying, and release the lease; a clock on standby takes over immediately.

        May be called twice and from any thread: each call returns after the lease has been released.
        """
        self._stop.set()
        with self._asking:
            if not self.leads:
                return
            self._leads_until = float("-inf")
            try:
                self._lease.give_back()
            except StoreError as error:
                logger.warning("Could not release the lease; it expires by itself: %s", error)
            else:
                logger.info("Released leadership")

    def beat(self) -> None:
        """Take or renew the lease once, unless this clock stops. While Redis is away, the lease expires."""
        with self._asking:
            if not self._stop.is_set():
                self._ask()

    def _ask(self) -> None:
        asked = self._clock.monotonic()
        try:
            with self._taking:
                self._tenure = self._take(asked)
        except StoreError:
            self._tenure = None
            return
        self._correct(self._tenure, asked)
        holder = self._tenure.holder
        if not holder:
            return
        self._leads_until = asked + LEASE_SECONDS if holder == self._identity else float("-inf")
        if holder != self._holder:
            self._log_holder(holder)

    def _take(self, asked: float) -> Tenure:
        """Take the lease. If Redis lost it too early, leave it to its holder, which has the ledger in memory."""
        is_early = asked < self._held_until and not self._is_handed_over
        tenure = self._lease.take(LEASE_SECONDS, leave_free=is_early)
        self._is_handed_over = False
        if not tenure.holder:
            return replace(tenure, left_seconds=self._held_until - asked)
        self._held_until = float("-inf") if tenure.holder == self._identity else asked + tenure.left_seconds
        return tenure

    def _log_holder(self, holder: str) -> None:
        before, self._holder = self._holder, holder
        if holder == self._identity:
            logger.info("Became leader: %s", holder)
            self._on_lead()
        elif before == self._identity:
            logger.warning("Lost leadership to another clock: %s", holder)
        else:
            logger.info("On standby: the leader is %s", holder)

    def _correct(self, tenure: Tenure, asked: float) -> None:
        correction = self._clock.correct(tenure.server_time, asked)
        moved, skew = correction.moved.total_seconds(), correction.skew.total_seconds()
        is_skewed = abs(skew) > SKEW_SECONDS
        blocks = abs(skew) > GROSS_SKEW_SECONDS
        self._time.found(*([skewed(skew, "Events use", blocks=blocks)] if is_skewed else []))
        if abs(moved) > SKEW_SECONDS and is_skewed == self._is_skewed:
            logger.warning("Time jumped by %+.1f s: the machine was suspended, or Redis's clock was set", moved)
        self._is_skewed = is_skewed

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wait()
            self.beat()

    def _wait(self) -> None:
        if self.leads:
            self._waiting.rests()
        if self.leads or self._tenure is None:
            self._clock.wait(self._stop, BEAT_SECONDS)
            return
        try:
            with self._waiting:
                seconds = min(BEAT_SECONDS, self._tenure.left_seconds + EXPIRY_SECONDS)
                self._is_handed_over = self._lease.wait_for_hand_over(seconds)
        except StoreError:
            self._tenure = None
