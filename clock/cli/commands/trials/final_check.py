"""The check at the end of a chaos run: is any job lost, does any job fail, was each due instant decided once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from clock.clocks import from_ms, to_ms
from clock.inspection.jobs.busy import all_jobs
from clock.inspection.jobs.jobs import FoundJob
from clock.printable import counted
from clock.store import Redis, listing
from clock.store.ledger import history
from clock.store.ledger.decision import DecisionKind
from clock.store.ledger.history import Record
from clock.timetable import Timetable

SHOWN = 3  # jids in one problem
KILLED = "WorkerKilled: "  # three workers died in a job: the trial's own doing
_RUNS = {kind for kind in DecisionKind if kind.fires} | {DecisionKind.MANUAL}
_ENDED = ("done", "dropped", "dead", "failed", "cancelled", "unfit")


@dataclass(frozen=True, slots=True)
class FinalCheck:
    """The result: how many runs and jobs there were, how many jobs ended well, and the problems in words."""

    runs: int
    jobs: int
    done: int
    problems: tuple[str, ...]


def final_check(redis: Redis, timetable: Timetable, logged: Set[str]) -> FinalCheck:
    """Look through history and jobs of a trial's server. `logged` are the jids of jobs that ended by the logs.

    No clock and no worker may run then: what moves between two reads would seem lost. Raises StoreUnavailable.
    """
    records = {event.name: list(history.read(redis, event.name)) for event in timetable.events}
    every: list[Record] = [record for some in records.values() for record in some]
    outcomes = {jid: one for record in every for jid, one in record.get("outcomes", {}).items()}
    jids = {jid for record in every for jid in record.get("jids", ())}
    waiting = {job.jid: job for job in all_jobs(redis)}
    ended = {jid for jid, outcome in outcomes.items() if outcome["outcome"] in _ENDED}
    lost = sorted(jids - ended - logged - waiting.keys())
    words = "1 job is" if len(lost) == 1 else f"{len(lost)} jobs are"
    problems = [f"{words} lost: {', '.join(lost[:SHOWN])}"] if lost else []
    problems += [*_failing(waiting), *_instants(redis, timetable, records)]
    problems += [
        f"{name}: {counted(count, 'job')} parked: no worker knows this class"
        for name, count in listing.parked(redis).items()
    ]
    runs = sum(record["decision"] in _RUNS for record in every)
    done = sum(outcome["outcome"] == "done" for outcome in outcomes.values())
    return FinalCheck(runs, len(jids), done, tuple(problems))


def _failing(waiting: Mapping[str, FoundJob]) -> Iterator[str]:
    failed: dict[tuple[str, str], list[str]] = defaultdict(list)
    for job in waiting.values():
        if job.error is not None and not job.error.startswith(KILLED):
            failed[job.job_class, job.error].append(job.jid)
    for (name, error), jids in failed.items():
        jobs = "1 job fails" if len(jids) == 1 else f"{len(jids)} jobs fail"
        yield f"{name}: {jobs}: {error} (jid {', '.join(jids[:SHOWN])})"


def _instants(redis: Redis, timetable: Timetable, records: Mapping[str, list[Record]]) -> Iterator[str]:
    """Due instants that were decided twice, or never."""
    for event in timetable.events:
        decided = [record for record in records[event.name] if record["decision"] != DecisionKind.MANUAL]
        twice = [due for due, count in Counter(record["due"] for record in decided).items() if count > 1]
        if twice:
            yield f"{event.name}: {_instants_named(twice)} decided twice"
        row = listing.ledger_row(redis, event.name)
        if row is None or event.options.asks_again or len(decided) >= history.HISTORY_LENGTH:
            continue
        spans: list[tuple[int, int]] = [
            (int(record.get("first") or record["due"]), record["due"]) for record in decided
        ]
        after, end = to_ms(row.entry.anchor) // 1000, to_ms(row.entry.decided) // 1000
        dues = [due * 1000 for due in event.due_between(after, end, anchor=row.entry.anchor)]
        missing = [due for due in dues if not any(first <= due <= last for first, last in spans)]
        if missing:
            yield f"{event.name}: {_instants_named(missing)} not decided"


def _instants_named(dues: Sequence[int]) -> str:
    """How many due instants (ms), and the first one: `2 due instants (2026-11-24T06:00:00+00:00, ...) were`."""
    first, words = from_ms(dues[0]).isoformat(), counted(len(dues), "due instant")
    return f"{words} ({first}) was" if len(dues) == 1 else f"{words} ({first}, ...) were"
