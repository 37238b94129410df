"""The lease decides which of several clocks works. Correctness depends on the fire script, not on it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from redis import Redis

from clock.store import keys
from clock.store.scripts import run, script
from clock.store.server.connection import lent, translated
from clock.store.server.sending import ask_script

logger = logging.getLogger("clock.clock")

WAKE_UP_MS = 1_000  # clocks on standby check at least this often in any case


@dataclass(frozen=True, slots=True)
class Tenure:
    """The holder of the lease (empty: no clock), its remaining seconds, and Redis's time."""

    holder: str
    left_seconds: float
    server_time: datetime


class Lease:
    """One clock's access to the lease. Its methods raise StoreUnavailable.

    `rank` orders releases: of two releases, the higher one leads.
    """

    def __init__(self, redis: Redis, *, identity: str, release: str, rank: int) -> None:
        self._redis = redis
        self._identity = identity
        self._release = release
        self._rank = rank
        self._script = script("lease")

    def take(self, seconds: float, *, leave_free: bool = False) -> Tenure:
        """Take or renew the lease for some seconds if possible. Returns its state afterwards.

        With `leave_free`, a lease without a holder is not taken: it ended too early, so Redis lost it, and its
        holder takes it again.
        """
        own = self._identity, self._release, self._rank, int(seconds * 1000), int(leave_free)
        commands = [("EVALSHA", self._script.sha, 1, keys.LEASE, *own), ("TIME",)]
        with translated():
            answers = ask_script(self._redis, self._script, commands)
        (holder, left_ms, replaced), (whole, microseconds) = answers
        if replaced:
            logger.error("In Redis, the key %s held %s; a clock replaced it.", keys.LEASE, keys.shown(replaced))
        server_time = datetime.fromtimestamp(int(whole), UTC) + timedelta(microseconds=int(microseconds))
        return Tenure(holder.decode(errors="replace"), int(left_ms) / 1000, server_time)

    def give_back(self) -> None:
        """Release this clock's lease, so another clock leads immediately."""
        run(self._redis, "step_down", [keys.LEASE, keys.HAND_OVER], [self._identity, WAKE_UP_MS])

    def wait_for_hand_over(self, seconds: float) -> bool:
        """Wait, on the connection, until a leader releases the lease, or the time is over. True: released."""
        seconds = max(0.01, seconds)
        with translated(), lent(self._redis, waits=seconds) as link:
            link.send_command("BLPOP", keys.HAND_OVER, seconds)
            return link.read_response() is not None
