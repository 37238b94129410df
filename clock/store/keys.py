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
HISTORY = "clock:history"  # stream: one entry a decision


def queue(name: str) -> str:
    """List: payloads waiting in the queue; LPUSH to add, taken from the right end."""
    return f"queue:{name}"
