"""Every key in Redis: its name, type and meaning.

Sidekiq's keys have no prefix; clock's keys start with `clock:`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

# Sidekiq's (see its wire format): times in scores are float seconds since 1970.
QUEUE = "queue:"  # prefix of lists: payloads waiting in a queue; LPUSH to add, taken from the right end
QUEUES = "queues"  # set: names of all queues ever pushed to
SCHEDULE: Final = "schedule"  # sorted set: payload -> when it is due
RETRY: Final = "retry"  # sorted set: payload -> when it is tried again
DEAD: Final = "dead"  # sorted set: payload -> when it died
PAUSED_QUEUES = "paused"  # set: names of queues from which no job is taken (Sidekiq Pro's)
PROCESSES = "processes"  # set: identities of live workers
STAT_PROCESSED = "stat:processed"  # string: jobs run ever; with `:YYYY-MM-DD`, on that day (UTC), for 5 years
STAT_FAILED = "stat:failed"  # string: jobs that failed ever; with `:YYYY-MM-DD`, on that day
JOB_METRICS = "j|"  # prefix of hashes, per minute and per ten minutes, expire: `Class|p`, `Class|f`, `Class|ms`
ITERATION = "it-"  # prefix of hashes, expire: Ruby's Sidekiq writes one per iterating job; clock only moves them
JOB_HISTOGRAM = "h|"  # prefix of strings, one per class and minute, expire: counts of runs by run time

# Ours: times are whole milliseconds since 1970, UTC.
LEDGER_ANCHOR = "clock:ledger:anchor"  # hash: event -> anchor
LEDGER_DECLARATION = "clock:ledger:declaration"  # hash: event -> declaration the anchor belongs to
LEDGER_DECIDED = "clock:ledger:decided"  # hash: event -> last decided due instant
LEDGER_COUNTED = "clock:ledger:counted"  # hash: event -> what Clockwork's form with if_ counts its periods from
LEDGER_ORPHANED = "clock:ledger:orphaned"  # hash: event that has left the clock file -> when it left
LEDGER_RENAMED = "clock:ledger:renamed"  # hash: old name of an event -> its name now
HISTORY = "clock:history:"  # prefix of streams, one per event: an entry per decision, JSON under `entry`
OUTCOMES = "clock:outcomes:"  # prefix of streams, one per event: the outcome of each job, JSON under `entry`
WATCHED = "clock:watched:"  # prefix of hashes, one per event: jid of an unfinished job -> due, score in `retry`
SCHEDULES = (
    "clock:schedules"  # hash: name of a schedule made at run time -> versions, timing, fields; '': the latest
)
MISSED = "clock:missed"  # sorted set: event -> due instant of its latest run that was missed
BACKFILLED = "clock:backfilled"  # sorted set: due instant of a backfilled run, a space, its event -> when
PAUSED = "clock:paused"  # hash: event ('': all of them) -> its latest pause, with the earlier ones, JSON
NEXT_DUE = "clock:next_due"  # hash: event and due instant of the oldest firing that is not decided
HAND_OVER = "clock:hand_over"  # list, expires: a clock that steps down wakes a standby clock
LEASE = "clock:lease"  # hash, expires: identity, release and rank of the clock that leads
CLOCKS = "clock:clocks"  # sorted set: identity of a clock -> when its heartbeat expires
CLOCK = "clock:clock:"  # prefix of strings, one per clock, expire: JSON of its description
WORKERS = "clock:workers"  # sorted set: identity of a worker -> when its heartbeat expires; below 0: its `End`
IN_PROGRESS = "clock:in_progress:"  # prefix of hashes, one per worker: number -> "queue\npayload"
NEARER = "clock:nearer"  # channel: notifies workers of a delayed job that is due before their next look
RUNNING = "clock:running:"  # prefix of hashes, one per worker: numbers of running jobs that killed a worker before
RESULT = "clock:result:"  # prefix of hashes, one per job, expire: its result, for Django's Tasks framework
UNIQUE = "clock:unique"  # hash: key of a unique job -> "jid|since|until" of the lock; until 0: as long as its job
UNIQUE_WINDOWS = "clock:unique_windows"  # sorted set: key of a lock with a window -> when it is over
REPLACED = "clock:replaced"  # sorted set: jid of a unique job that a newer push has replaced -> when
HEALED = "clock:locks_healed"  # string: how many locks were freed whose job another program had removed
BATCHES = "clock:batches"  # hash: bid -> JSON: state, callbacks, the events that happened, parent
BATCH_CHILDREN = (
    "clock:batch_children"  # sorted set, all scores 0: "bid/p|s|f/jid": pending, done, ended otherwise
)
BATCH_ENDED = "clock:batch_ended"  # hash: "bid/jid" of a child that ended otherwise -> how, and its class
BATCH_REMOVALS = "clock:batch_removals"  # sorted set: "s:bid" (its children), "a:bid" (all) -> when it is removed
BATCH_LOST = "clock:batch_children_lost"  # string: how many children were ended that another program had removed
BATCH_CHECK = "clock:batch_check"  # string, expires: a worker has looked for lost children; its position
LIMITS = "clock:limits"  # hash: name of a limit -> its maximum, set by hand
LIMIT_HOLDERS = "clock:limit_holders"  # sorted set, scores 0: jobs that count: see `limit_keys.lua`
LIMIT_RESERVED = "clock:limit_reserved"  # sorted set: jid of a holder that is in a queue -> since when
BLOCKED = "clock:blocked"  # sorted set, scores 0: "name\nturn\nqueue\npayload": jobs that a full limit holds back
FREED: Final = "clock:freed"  # sorted set: payload of a blocked job that goes to the front of its queue -> turn
LIMIT_TURN = "clock:limit_turn"  # string: the last turn that was given to a blocked job
LIMITS_CHECKED = "clock:limits_checked"  # string, expires: a worker has checked the holders lately
OVERLAPS = "clock:limit_overlaps"  # string: jobs with a limit that ran on after their worker was declared dead
RATES = "clock:rates"  # hash: name of a rate -> times in ms, see `lua/parts/limits/rate_keys.lua`
RATE_STARTS = "clock:rate_starts"  # sorted set, scores 0: "name\nms\nplace#n": starts under rates with a window
RATE_SLOTS = "clock:rate_slots"  # sorted set: jid of a job that waits for its rate in `schedule` -> its slot
RATES_CHECKED = "clock:rates_checked"  # string, expires: a worker has looked for rates to remove lately
JOB_RESULT = "clock:job_result:"  # prefix of hashes, one per ended job with `result_ttl`, expire
CANCELLED = "clock:cancelled"  # sorted set: jid of a job to be cancelled -> when the mark is over
PARKED = "clock:parked"  # set: names of classes that no worker knew
PARKED_JOBS = "clock:parked:"  # prefix of lists, one per class: payloads
EXPIRED = "clock:expired"  # hash: class -> how many of its jobs were dropped because they had expired
CANCELLED_JOBS = "clock:cancelled_jobs"  # hash: class -> how many of its jobs were cancelled by a worker
REPLICATED = "clock:replicated"  # string, expires: written before a WAIT, which then covers all earlier writes
SHARDS = "clock:shards"  # sorted set: address of a place that has had jobs -> when it was last in use; at home
SHARD_CLAIMS = "clock:shard_claims:"  # prefix of sorted sets, one per shard and list of queues, expire: a worker
# process -> when its claim on the shard ends; at home
NOTHING = "clock:nothing"  # never written: a worker whose queues are all paused waits on it
AUDIT = "clock:audit"  # stream: an entry per change made by hand, JSON under `entry`
SENT_FORM = "clock:sent_form:"  # prefix of strings, expire: a form of the dashboard that was sent
TIMETABLE = "clock:timetable"  # hash: event of the latest clock file that led -> its declaration
LATENESS = "clock:lateness:"  # prefix of sorted sets, one per minute and per ten minutes, expire: bucket -> runs
CHANGES = "clock:changes"  # stream: an entry per release that led, JSON under `entry`: its changes
#: The hashes of an event's ledger entry, in the order of `LedgerRow.of`.
LEDGER_ENTRY = (LEDGER_ANCHOR, LEDGER_DECLARATION, LEDGER_DECIDED, LEDGER_COUNTED)
#: Prefixes of the keys of one event.
OF_EVENT = (HISTORY, OUTCOMES, WATCHED)
#: Keys of scripts that may end a child of a batch.
BATCH_KEYS = (BATCHES, BATCH_CHILDREN, BATCH_ENDED, BATCH_REMOVALS, SCHEDULE, NEARER)
#: Keys of scripts that free locks of unique jobs; those that take locks also have their windows.
LOCK_KEYS = (UNIQUE, REPLACED)
TAKEN_LOCK_KEYS = (UNIQUE, UNIQUE_WINDOWS, REPLACED)
#: Keys of scripts in which a job takes or leaves a place of a limit, in the order of `limit_keys.lua`.
LIMIT_KEYS = (LIMITS, LIMIT_HOLDERS, LIMIT_RESERVED, BLOCKED, FREED, LIMIT_TURN, PAUSED_QUEUES)
#: Keys of the script that claims, in the order of `rate_keys.lua`.
RATE_KEYS = (RATES, RATE_STARTS, RATE_SLOTS, SCHEDULE)

#: The types of the keys that `clock doctor` checks.
TYPES: Mapping[str, str] = {
    **dict.fromkeys((QUEUES, PROCESSES, PARKED, PAUSED_QUEUES), "set"),
    **dict.fromkeys((SCHEDULE, RETRY, DEAD, CLOCKS, WORKERS, CANCELLED, BACKFILLED, MISSED, SHARDS), "zset"),
    **dict.fromkeys((UNIQUE_WINDOWS, REPLACED, BATCH_CHILDREN, BATCH_REMOVALS), "zset"),
    **dict.fromkeys((LIMIT_HOLDERS, LIMIT_RESERVED, BLOCKED, FREED, RATE_STARTS, RATE_SLOTS), "zset"),
    **dict.fromkeys((STAT_PROCESSED, STAT_FAILED, HEALED, BATCH_LOST, OVERLAPS, LIMIT_TURN), "string"),
    **dict.fromkeys((BATCH_CHECK, LIMITS_CHECKED, RATES_CHECKED, REPLICATED), "string"),
    **dict.fromkeys((*LEDGER_ENTRY, LEDGER_ORPHANED, LEDGER_RENAMED, EXPIRED, CANCELLED_JOBS), "hash"),
    **dict.fromkeys((PAUSED, NEXT_DUE, LEASE, SCHEDULES, TIMETABLE), "hash"),
    **dict.fromkeys((UNIQUE, BATCHES, BATCH_ENDED, LIMITS, RATES), "hash"),
    **dict.fromkeys((AUDIT, CHANGES), "stream"),
    HAND_OVER: "list",
}


def shown(raw: bytes) -> str:
    """A key, or a name in one, for people; invalid UTF-8 is escaped."""
    return raw.decode(errors="backslashreplace")


def queue(name: str) -> str:
    """The list of the queue `name`."""
    return QUEUE + name


def work(identity: str) -> str:
    """Hash, expires: thread id -> job in progress, for Sidekiq's page (6.5 and later)."""
    return f"{identity}:work"


def workers(identity: str) -> str:
    """Sidekiq 6.4's form of a worker's key of running jobs."""
    return f"{identity}:workers"


def signals(identity: str) -> str:
    """List: signals that Sidekiq's page sends to the worker."""
    return f"{identity}-signals"


def deploy_marks(day: date) -> str:
    """Hash, expires: minute of a day (UTC, ISO 8601) -> label of the deploy; Sidekiq's."""
    return f"{day:%Y%m%d}-marks"


def deploy_lock(label: str) -> str:
    """String, expires: this deploy was marked in the last minute; Sidekiq's."""
    return f"deploylock-{label}"
