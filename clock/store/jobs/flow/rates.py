"""Rates in Redis: removing what they no longer need, so that a name for each account does not fill Redis."""

from __future__ import annotations

from redis import Redis

from clock.clocks import SystemClock
from clock.store import keys
from clock.store.scripts import run
from clock.store.server.connection import translated

CHECKED_AFTER_MS = 60_000
SLOT_KEPT_MS = 86_400_000  # a job may wait so long in its queue, after its slot, and keeps its turn
MOST = 500  # rates, and slots, of one call: a few ms
START = "0"

_monotonic = SystemClock().monotonic


def claim_check(redis: Redis) -> bool:
    """Whether there are rates that no worker has looked at for a minute. Raises StoreUnavailable."""
    with translated():
        if not redis.exists(keys.RATES, keys.RATE_SLOTS):
            return False
        return bool(redis.set(keys.RATES_CHECKED, 1, nx=True, px=CHECKED_AFTER_MS))


def forget(redis: Redis, at: str = START, *, within: float, now_ms: int | None = None) -> tuple[str, int]:
    """Remove rates that allow as many starts as a new one, and slots that no job came for, from `at` on.

    It takes `within` seconds at most. Returns the `at` of the next call (START: each rate was looked at), and how
    many rates and slots were removed. Without `now_ms`, Redis's time counts. Raises StoreUnavailable.
    """
    ends_at, removed = _monotonic() + within, 0
    while True:
        args = [at, "" if now_ms is None else now_ms, SLOT_KEPT_MS, MOST]
        reply, count = run(redis, "forget_rates", keys.RATE_KEYS[:3], args)
        at, removed = reply.decode(), removed + int(count)
        if at == START or _monotonic() >= ends_at:
            return at, removed
