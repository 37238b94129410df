"""Forms of the dashboard that were sent: each is carried out once, by whichever web process gets it first.

Each function raises StoreUnavailable.
"""

from __future__ import annotations

from clock.store import Redis, keys
from clock.store.server.connection import translated

KEPT_SECONDS = 24 * 3600  # a form that is sent again after this time acts again


def claim(redis: Redis, form: str) -> bool:
    """Mark a form as sent; False: it was sent before."""
    with translated():
        return bool(redis.set(keys.SENT_FORM + form, 1, nx=True, ex=KEPT_SECONDS))


def release(redis: Redis, form: str) -> None:
    """Let the form be sent again: its action failed."""
    with translated():
        redis.delete(keys.SENT_FORM + form)
