"""The keys of the scripts that move jobs with limits and rates, in the order of `limit_keys.lua`."""

from __future__ import annotations

from clock.store import keys

#: The payload of each job with limits or rates contains this, and hardly any other payload.
LIMITED = b'"limits":'
#: For every script in which a job takes or leaves a place.
LIMIT_KEYS = (
    *(keys.LIMITS, keys.LIMIT_HOLDERS, keys.LIMIT_PLACES, keys.LIMIT_RESERVED),
    *(keys.BLOCKED, keys.FREED, keys.LIMIT_TURN),
)
#: For the script that claims.
RATE_KEYS = (keys.RATES, keys.RATE_STARTS, keys.RATE_SLOTS, keys.SCHEDULE)
