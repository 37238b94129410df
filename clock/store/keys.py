"""Every key in Redis: its name, type and meaning. Sidekiq's have no prefix; ours begin with `clock:`."""

from __future__ import annotations

# Sidekiq's (see its wire format): times in scores are float seconds since 1970.
QUEUES = "queues"  # set: names of all queues ever pushed to
SCHEDULE = "schedule"  # sorted set: payload -> when it is due
RETRY = "retry"  # sorted set: payload -> when it is tried again
DEAD = "dead"  # sorted set: payload -> when it died
PROCESSES = "processes"  # set: identities of live workers

# Ours: times are whole milliseconds since 1970, UTC.
LEDGER_ANCHOR = "clock:ledger:anchor"  # hash: event -> anchor
LEDGER_DECLARATION = "clock:ledger:declaration"  # hash: event -> declaration the anchor belongs to
LEDGER_DECIDED = "clock:ledger:decided"  # hash: event -> last decided due instant
HISTORY = "clock:history:"  # prefix of streams, one an event: an entry a decision, JSON under `entry`
LEASE = "clock:lease"  # hash, expires: identity, release and rank of the clock that leads
QUEUE = "queue:"  # prefix of lists: payloads waiting in a queue; LPUSH to add, taken from the right end


def queue(name: str) -> str:
    """The list of the queue `name`."""
    return QUEUE + name
