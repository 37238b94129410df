"""The processes that live: workers, Sidekiq's as well, and clocks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite

from clock.clocks import from_ms
from clock.printable import shortened_list
from clock.store import Redis, listing
from clock.store.invalid_values import json_object
from clock.store.jobs.unserved_queues import NO_WORKER
from clock.store.ledger import next_due
from clock.store.ledger.clock_register import ClockRegister

LATE_SECONDS = 10.0  # clocks and workers report every 5 s


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker by its last heartbeat, which was `beat_age` seconds ago; `rss` is in kB.

    `frozen` is for how many seconds no thread of it could run, because a job holds the interpreter lock.
    `problems` keep it from working; `causes` are their stable words for programs, in the same order.
    """

    identity: str
    host: str
    queues: tuple[str, ...]
    busy: int
    concurrency: int
    quiet: bool
    rss: int
    beat_age: float
    started_at: float
    frozen: float
    problems: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClockView:
    """A clock by its last heartbeat.

    `last_round` is when its loop last came round, `oldest_undecided` the earliest due instant that it has not
    fired, ahead or overdue (None: it stands by, or nothing will be due), `skew` how many seconds Redis's clock is
    ahead of its machine's. `problems` keep it from working.
    """

    identity: str
    host: str
    release: str
    events: int
    leads: bool
    last_round: datetime
    oldest_undecided: datetime | None
    skew: float
    problems: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reported:
    """A problem that processes report, and which processes."""

    cause: str
    text: str
    processes: Sequence[str]

    def __str__(self) -> str:
        return f"{shortened_list(self.processes)}: {self.text}"


def reported(clocks: Sequence[ClockView], workers: Sequence[WorkerView]) -> list[Reported]:
    """The problems that clocks and workers report, each once, without those of queues that no worker serves."""
    views: list[tuple[str, WorkerView | ClockView]] = [(f"worker {view.identity}", view) for view in workers]
    views += [(f"clock {view.identity}", view) for view in clocks]
    found: dict[tuple[str, str], Reported] = {}
    for name, view in views:
        for cause, text in zip(view.causes, view.problems, strict=True):
            if not cause.startswith(NO_WORKER):
                same = (cause, re.sub(r"\d+", "0", text))  # the processes count seconds and jobs differently
                before = found.get(same, Reported(cause, text, ()))
                found[same] = replace(before, processes=[*before.processes, name])
    return list(found.values())


def workers(redis: Redis, now: float) -> list[WorkerView]:
    """The workers whose heartbeat has not expired. `now` is in float seconds. Raises StoreUnavailable."""
    return [_worker(name, beat, now) for name, beat in listing.processes(redis).items() if "info" in beat]


def clocks(redis: Redis, now: datetime) -> list[ClockView]:
    """The clocks that live; the clock that leads, by the lease in Redis, comes first. Raises StoreError."""
    leader = next_due.look(redis).leader
    fields = ClockRegister(redis).living(now)
    views = [_clock(identity, fields[identity], leads=identity == leader) for identity in sorted(fields)]
    return sorted(views, key=lambda view: not view.leads)


def _worker(identity: str, beat: Mapping[str, str], now: float) -> WorkerView:
    info = json_object(beat["info"]) or {}  # empty: another program has written something else
    queues = info.get("queues")
    return WorkerView(
        identity=identity,
        host=str(info.get("hostname", "")),
        queues=tuple(dict.fromkeys(map(str, queues if isinstance(queues, list) else ()))),
        busy=int(_number(beat.get("busy"), 0)),
        concurrency=int(_number(info.get("concurrency"), 0)),
        quiet=beat.get("quiet") == "true",
        rss=int(_number(beat.get("rss"), 0)),
        beat_age=max(0.0, now - _number(beat.get("beat"), 0)),
        started_at=_number(info.get("started_at"), now),
        frozen=_number(beat.get("frozen"), 0),
        **_problems(_json(beat.get("problems", "[]"))),
    )


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:  # another program has written it
        return None


def _problems(published: object) -> dict[str, tuple[str, ...]]:
    found = published if isinstance(published, list) else []
    valid = [problem for problem in found if isinstance(problem, dict) and "text" in problem]
    return {
        "problems": tuple(str(problem["text"]) for problem in valid),
        "causes": tuple(str(problem.get("cause", "")) for problem in valid),
    }


def _number(value: object, default: float) -> float:
    try:
        found = float(str(value))
    except ValueError:
        return default
    return found if isfinite(found) else default


def _clock(identity: str, fields: Mapping[str, object], *, leads: bool) -> ClockView:
    undecided = fields.get("oldest_undecided")
    return ClockView(
        identity=identity,
        host=str(fields.get("host", "")),
        release=str(fields.get("release", "")),
        events=int(str(fields.get("events", 0))),
        leads=leads,
        last_round=from_ms(int(str(fields.get("last_round", 0)))),
        oldest_undecided=from_ms(undecided) if isinstance(undecided, int) else None,
        skew=float(str(fields.get("skew_ms", 0))) / 1000,
        **_problems(fields.get("problems")),
    )


def all_report(clocks: Sequence[ClockView], workers: Sequence[WorkerView], now: datetime) -> bool:
    """Whether there are clocks or workers, and each has reported within `LATE_SECONDS`."""
    ages = [worker.beat_age for worker in workers]
    ages += [(now - clock.last_round).total_seconds() for clock in clocks]
    return bool(ages) and max(ages) <= LATE_SECONDS
