"""The lease that says which of several clocks works. Correctness rests on the fire script, never on it."""

from __future__ import annotations

from redis import Redis

from clock.store import keys
from clock.store.connection import translated
from clock.store.scripts import script


class Lease:
    """One clock's claim on the lease. `rank` orders releases: of two, the higher one leads."""

    def __init__(self, redis: Redis, *, identity: str, release: str, rank: int) -> None:
        self._identity = identity
        self._release = release
        self._rank = rank
        self._take = script(redis, "lease")
        self._give_back = script(redis, "step_down")

    def take(self, ttl_ms: int) -> str:
        """Take or keep the lease for `ttl_ms` where that may be; the identity of its holder afterwards.

        Raises StoreUnavailable.
        """
        with translated():
            holder = self._take(keys=[keys.LEASE], args=[self._identity, self._release, self._rank, ttl_ms])
        return bytes(holder).decode(errors="replace")

    def give_back(self) -> None:
        """Let another clock lead at once; nothing happens where it is not held. Raises StoreUnavailable."""
        with translated():
            self._give_back(keys=[keys.LEASE], args=[self._identity])
