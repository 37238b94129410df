"""The clock's heartbeat: it tells Redis what the loop does, so that any process can see that it works.

It beats in its own thread and tells how long ago the loop last came round, and the oldest due instant that
nobody has decided: a loop that is stuck goes on beating, and shows.
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
from clock.store.ledger.clock_register import AboutClock, ClockRegister
from clock.ticker.ticker import Ticker

BEAT_SECONDS = 5.0
EXPIRES_SECONDS = 20.0  # a clock that was not heard of for so long is gone

logger = logging.getLogger("clock.clock")


class Heartbeat:
    """A thread's loop: beat every `BEAT_SECONDS`. `about` is what never changes.

    `unserved` gives the problems of queues that no worker takes from.
    """

    def __init__(
        self,
        register: ClockRegister,
        identity: str,
        *,
        ticker: Ticker,
        leads: Callable[[], bool],
        about: AboutClock,
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
        self._ticker = ticker
        self._leads = leads
        self._about = about
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat of the clock", daemon=True)

    def start(self) -> None:
        """Begin to beat, on a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop beating, and leave the register."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            self._register.leave(self._identity)
        except StoreError as error:
            logger.debug(
                "Could not remove this clock from the register of clocks; its entry expires by itself: %s", error
            )

    def beat(self) -> None:
        """Tell once. Raises StoreUnavailable."""
        now = self._clock.now()
        idle = timedelta(seconds=self._clock.monotonic() - self._ticker.last_round)
        undecided = self._ticker.oldest_undecided
        told = {
            **asdict(self._about),
            "leads": self._leads(),
            "last_round": to_ms(now - idle),
            "oldest_undecided": to_ms(undecided) if undecided else None,
            "problems": published(self._problems, now),
        }
        now_ms = to_ms(now)
        self._register.beat(self._identity, told, now_ms=now_ms, expires_ms=now_ms + int(EXPIRES_SECONDS * 1000))

    def _run(self) -> None:
        while True:
            with suppress(Exception), self._part:  # the part reports it
                self.beat()
            if self._clock.wait(self._stop, BEAT_SECONDS):
                return
            with suppress(Exception), self._part:  # not at the start: a worker may be starting as well
                self._queues.found(*self._unserved())
