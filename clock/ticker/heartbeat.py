"""The clock's heartbeat: it writes the state of the loop to Redis, so any process can see whether it works.

The heartbeat has its own thread. It writes when the last round of the loop ended, and the oldest due instant that
is not decided. So a stuck loop still beats, and other processes see that it is stuck.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta

from clock.clocks import Clock, to_ms
from clock.errors import StoreError
from clock.problems import Problem, Problems, published
from clock.store.ledger.clock_register import ClockRegister
from clock.ticker.identity import ClockIdentity
from clock.ticker.ticker import Ticker

BEAT_SECONDS = 5.0
EXPIRES_SECONDS = 20.0  # a clock without a heartbeat for longer is gone

logger = logging.getLogger("clock.clock")


class Heartbeat:
    """Beats every `BEAT_SECONDS`. `unserved` returns the problems of queues that no worker serves."""

    def __init__(
        self,
        register: ClockRegister,
        identity: ClockIdentity,
        *,
        ticker: Ticker,
        leads: Callable[[], bool],
        clock: Clock,
        problems: Problems,
        unserved: Callable[[], Sequence[Problem]] = lambda: (),
    ) -> None:
        self._problems = problems
        self._part = problems.part("register of clocks")
        self._queues = problems.part("queues")
        self._unserved = unserved
        self._register = register
        self._identity = identity
        self._about = asdict(identity.about)
        self._ticker = ticker
        self._leads = leads
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat of the clock", daemon=True)

    def start(self) -> None:
        """Start to beat, on a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop beating, and remove this clock from the register."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            self._register.leave(self._identity.name)
        except StoreError as error:
            logger.debug(
                "Could not remove this clock from the register of clocks; its entry expires by itself: %s", error
            )

    def beat(self) -> None:
        """Write the state once. Raises StoreUnavailable."""
        now = self._clock.now()
        idle = timedelta(seconds=self._clock.monotonic() - self._ticker.last_round)
        undecided = self._ticker.oldest_undecided
        state = {
            **self._about,
            "leads": self._leads(),
            "last_round": to_ms(now - idle),
            "oldest_undecided": to_ms(undecided) if undecided else None,
            "problems": published(self._problems, now),
        }
        self._register.beat(self._identity.name, state, now=now, seconds=EXPIRES_SECONDS)

    def _run(self) -> None:
        while True:
            with suppress(Exception), self._part:  # the part reports it
                self.beat()
            if self._clock.wait(self._stop, BEAT_SECONDS):
                return
            with suppress(Exception), self._part:  # only after the first wait: a worker may be starting, too
                self._queues.found(*self._unserved())
