"""The rows of each page are those of its JSON twin, in the same order and with the same values."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from clock.clocks import from_ms, to_ms
from clock.inspection.audit import Change, note_change
from clock.printable import duration
from clock.rehearsal.fake_clock import FakeClock
from clock.store.jobs import job_metrics
from clock.store.jobs.flow import batches, limit_holders
from clock.store.ledger import timetable_changes
from clock.store.ledger.clock_register import ClockRegister
from clock.timetable import Timetable
from clock.web import Access, Dashboard, Source
from clock.web.pages import PAGES
from tests.web.conftest import NOW, Visitor

JOB = {"class": "SendMailJob", "jid": "a" * 24, "args": [7, {"to": "<ada>"}], "queue": "default", "retry": True}
FAILED = {"error_class": "OSError", "error_message": "<down>", "retry_count": 2}
Rows = Sequence[Sequence[object]]


@dataclass(frozen=True)
class Twin:
    """A page with its query: the values of each row by its JSON, and what its rows are in HTML (PARTS)."""

    rows: Callable[[Any], Rows]
    part: str = "tr"
    query: Mapping[str, str] = field(default_factory=dict)


def _fields(*names: str, of: str = "") -> Callable[[Any], Rows]:
    return lambda found: [[row[name] for name in names] for row in (found[of] if of else found)]


def _counts(found: Any) -> Rows:
    """The counts of the hours of a week, then those of the days of a year: all Mondays, then all Tuesdays."""
    days = [day["processed"] for day in found["year"].values()]
    years = [count for weekday in range(7) for count in days[weekday::7]]
    return [[count] for count in [*(count for hours in found["week"].values() for count in hours), *years]]


JOBS = Twin(_fields("class", "jid", of="jobs"))
ERRORS = Twin(lambda found: [(job["class"], job["jid"], job.get("error_message", "")) for job in found["jobs"]])
TWINS: Mapping[str, Twin] = {
    "/": Twin(lambda found: [(row["name"], row["last"]["decision"], row["zone"]) for row in found]),
    "/event": Twin(
        lambda found: [
            (one["decision"], *(jid[:8] for jid in one["jids"]), duration(one["late_ms"] / 1000))
            for one in found["history"]
        ],
        "decision",
        {"name": "reminders"},
    ),
    "/why": Twin(lambda found: [found["why"]], "", {"name": "reminders", "at": "2026-03-29"}),
    "/timeline": Twin(
        lambda found: [[name, f"{len(marks)} due"] for name, marks in found["events"].items()], "lane"
    ),
    "/forecast": Twin(lambda found: [[found["jobs"], found["slots"]]], "", {"slots": "3"}),
    "/changes": Twin(lambda found: [[one["release"], *one["changed"]] for one in found], "section"),
    "/heat": Twin(_counts, "title"),
    "/queues": Twin(_fields("name", "size")),
    "/queue": Twin(JOBS.rows, query={"name": "default"}),
    "/busy": Twin(_fields("class", "jid")),
    "/scheduled": JOBS,
    "/retries": ERRORS,
    "/dead": ERRORS,
    "/job": Twin(
        lambda found: [
            [found["jid"], found["job"]["class"], found["job"]["error_message"], found["job"]["queue"]]
        ],
        "",
        {"jid": "a" * 24, "in": "dead", "at": "2000000000.0"},
    ),
    "/batches": Twin(_fields("bid")),
    "/blocked": Twin(_fields("name", "maximum", "holders", "blocked")),
    "/metrics": Twin(_fields("job_class", "processed", "failed", of="classes")),
    "/processes": Twin(lambda found: [[one["identity"]] for one in (*found["clocks"], *found["workers"])]),
    "/redis": Twin(_fields("subject", "found", "advice")),
    "/audit": Twin(_fields("who", "what", "target", "source")),
    "/run-time": Twin(_fields("name", "job", "version")),
    "/go": Twin(_fields("name"), "go", {"q": "re"}),
    "/display": Twin(lambda found: [[found["zone"], found["theme"]]], ""),
    "/help": Twin(lambda found: [list(found.values())], ""),
}
#: What a row of a page is, by the name that a twin gives.
PARTS = {
    "tr": r"<tr(?:(?!<th).)*?</tr>",
    "decision": r'<tr><td class="nowrap">.*?</tr>',
    "lane": r'<div class="lane"><div class="label">.*?</svg></div>',
    "section": r"<section.*?</section>",
    "title": r"<title>[^<]*</title>",
    "go": r"<li>.*?</li>",
    "": r"<main.*</main>",
}
EMPTY = {"/run-time"}


@pytest.fixture
def visitor(redis: Redis, timetable: Timetable) -> Visitor:
    """Visits a dashboard whose lists have entries."""
    _fill(redis)
    source = Source(redis, timetable, FakeClock(NOW), place="redis://localhost:6379/0")
    return Visitor(Dashboard(source, access=lambda request: Access.everything("ana")), None)


def _fill(redis: Redis) -> None:
    now = to_ms(NOW)
    for name, decision in (("reminders", "fired"), ("reminders", "missed"), ("ticks", "error")):
        record = {"decision": decision, "due": now - 60_000, "late_ms": 5_000, "jids": ["b" * 24], "jobs": 1}
        redis.xadd(f"clock:history:{name}", {"entry": json.dumps(record)})
    redis.sadd("queues", "default", "mail")
    redis.lpush("queue:default", json.dumps(JOB), json.dumps({**JOB, "jid": "c" * 24}))
    for place in ("schedule", "retry", "dead"):
        redis.zadd(place, {json.dumps({**JOB, **FAILED}): 2e9, json.dumps({**JOB, "jid": "d" * 24}): 1.9e9})
    redis.sadd("processes", "web-1:7:ab")
    redis.hset("web-1:7:ab", mapping={"info": '{"concurrency":9}', "beat": NOW.timestamp(), "busy": 1})
    running = {"payload": json.dumps({"class": "LongJob", "jid": "e" * 24}), "run_at": 1}
    redis.hset("web-1:7:ab:work", "t", json.dumps(running))
    timetable_changes.note(redis, "v42", "web-2", {"reminders": "every day"}, {})
    batches.open_batch(redis, "import-7", batches.Batch(created=1000), now=from_ms(1000))
    limit_holders.set_maximum(redis, "<crm>", 5)
    job_metrics.add(redis, {"SendMailJob": job_metrics.Tally(40, 3, ms=50.0)}, now=NOW - timedelta(minutes=5))
    note_change(redis, Change("<ana>", "pause", "reminders", 1, "10.0.0.7"))
    ClockRegister(redis).beat("web-2:9:cd", {"host": "web-2", "release": "v42", "events": 2}, now=NOW, seconds=60)


def test_each_page_has_a_twin_in_this_test() -> None:
    assert TWINS.keys() == PAGES.keys()


@pytest.mark.parametrize("path", TWINS)
def test_the_rows_of_a_page_are_those_of_its_twin(visitor: Visitor, path: str) -> None:
    twin = TWINS[path]

    found = visitor.json(path, **twin.query)
    rows = twin.rows(found)
    page = re.sub(r"<(head|nav|footer)\b.*?</\1>", "", visitor.page(path, **twin.query), flags=re.S)
    parts = [_text(part) for part in re.findall(PARTS[twin.part], page, re.S)]

    assert not re.findall(r'"\d{4}-\d\d-\d\d [^" ]*"', json.dumps(found)), "not as in RFC 3339"
    assert len(parts) == len(rows)
    assert bool(rows) != (path in EMPTY)
    for row, part in zip(rows, parts, strict=True):
        assert not [value for value in row if _shown(value) not in part], part


def _text(part: str) -> str:
    labels = " ".join(re.findall(r'(?:aria-label|value)="([^"]*)"', part))
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", f"{part} {labels}").split()))


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
