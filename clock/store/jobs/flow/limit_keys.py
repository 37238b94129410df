"""The keys of the scripts that move jobs with limits and rates, in the order of `limit_keys.lua`."""

from __future__ import annotations

from clock.store import keys

#: The payload of each job with limits or rates contains this, and hardly any other payload.
LIMITED = b'limits"'
#: A payload of ours that has rates only starts with this.
ONLY_RATES = b'{"limits":[]'
#: A payload of ours that has limits starts with this; the next "]" ends them, unless a name has one.
OWN_LIMITS = b'{"limits":[{'
#: For every script in which a job takes or leaves a place.
LIMIT_KEYS = (
    *(keys.LIMITS, keys.LIMIT_HOLDERS, keys.LIMIT_RESERVED),
    *(keys.BLOCKED, keys.FREED, keys.LIMIT_TURN, keys.PAUSED_QUEUES),
)
#: For the script that claims.
RATE_KEYS = (keys.RATES, keys.RATE_STARTS, keys.RATE_SLOTS, keys.SCHEDULE)


def limits_text(payload: bytes) -> bytes:
    """The start of a payload of ours, up to the end of its limits; b"": another program wrote it."""
    return payload[: payload.find(b"]") + 1] if payload.startswith(OWN_LIMITS) else b""


def limits_if_any(payload: bytes) -> bytes | None:
    """The text of a payload's limits (`limits_text`); None if it has none."""
    if LIMITED not in payload or payload.startswith(ONLY_RATES):
        return None
    return limits_text(payload)
