"""The JSON of a page equals that of the command line, if both exist."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from redis import Redis

from clock.cli.app import cli
from clock.clocks import SystemClock, from_ms, to_ms
from clock.store import repairs
from clock.store.jobs.flow import batches, limit_holders, unique_locks
from clock.store.jobs.in_progress import InProgress
from clock.timetable import load
from clock.web import Access, Dashboard, Source
from tests.web.conftest import CLOCK_FILE, Visitor

Ask = Callable[..., Any]
JOB = {"class": "SendMailJob", "jid": "a" * 24, "args": [7, {"to": "ada"}], "queue": "default", "retry": True}
FAILED = {"error_class": "OSError", "error_message": "down", "retry_count": 2}


@pytest.fixture
def ask(
    redis: Redis, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log_as_before: None
) -> tuple[Ask, Visitor]:
    """A function that returns the JSON of a command, and a visitor of a dashboard of the same application."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setenv("REDIS_URL", redis_url)
    (tmp_path / "lib").mkdir()
    file = tmp_path / "lib" / "clock.py"
    file.write_text(CLOCK_FILE)
    monkeypatch.chdir(tmp_path)
    timetable = load(Path("lib/clock.py"), root=tmp_path)
    dashboard = Dashboard(Source(redis, timetable, SystemClock()), access=lambda request: Access.everything("ana"))

    def run(*words: str) -> Any:
        found = CliRunner().invoke(cli, [*words, "--json"], catch_exceptions=False)
        return json.loads(found.stdout)

    _fill(redis)
    return run, Visitor(dashboard, None)


def _fill(redis: Redis) -> None:
    now = to_ms(SystemClock().now())
    for name, decision in (("reminders", "fired"), ("reminders", "missed"), ("ticks", "error")):
        record = {"decision": decision, "due": now - 60_000, "late_ms": 5, "jids": ["b" * 24], "jobs": 1}
        redis.xadd(f"clock:history:{name}", {"entry": json.dumps(record)})
    outcome = {"jid": "b" * 24, "outcome": "done", "at": now, "took_ms": 40}
    redis.xadd("clock:outcomes:reminders", {"entry": json.dumps(outcome)})
    redis.sadd("queues", "default", "mail")
    redis.sadd("paused", "mail")
    redis.lpush("queue:default", json.dumps(JOB), json.dumps({**JOB, "jid": "c" * 24}))
    for place in ("schedule", "retry", "dead"):
        redis.zadd(place, {json.dumps({**JOB, **FAILED}): 2e9, json.dumps({**JOB, "jid": "d" * 24}): 1.9e9})


def test_the_events_are_those_of_clock_list(ask: tuple[Ask, Visitor]) -> None:
    run, visitor = ask
    rows = {row["name"]: row for row in visitor.json("/")}

    for event in run("list"):
        if event["name"] == "ticks":  # it has no run yet, so it is due 10 minutes after the moment of asking
            del event["next_due"]
        assert {name: rows[event["name"]][name] for name in event} == event
    assert len(rows) == 2


def test_the_history_of_an_event_is_that_of_clock_history(ask: tuple[Ask, Visitor]) -> None:
    run, visitor = ask

    records = visitor.json("/event", name="reminders")["history"]

    assert sorted(map(str, records)) == sorted(map(str, run("history", "reminders")))
    assert len(records) == 2


def test_the_forecast_is_that_of_clock_forecast(ask: tuple[Ask, Visitor]) -> None:
    run, visitor = ask
    start = "2026-03-29 00:00"

    found = visitor.json("/forecast", slots=3, days=3, **{"from": start})

    assert found == run("forecast", "--to", "3d", "--slots", "3", "--from", start)
    assert found["jobs"] == 3


def test_the_queues_and_their_jobs_are_those_of_clock_queue_list(ask: tuple[Ask, Visitor]) -> None:
    run, visitor = ask

    assert visitor.json("/queues") == run("queue", "list")
    assert visitor.json("/queue", name="default")["jobs"] == run("queue", "list", "default")


@pytest.mark.parametrize(
    ("path", "command"), [("/scheduled", "scheduled"), ("/retries", "retry"), ("/dead", "dead")]
)
def test_jobs_that_wait_are_those_of_the_command_line(ask: tuple[Ask, Visitor], path: str, command: str) -> None:
    run, visitor = ask

    jobs = visitor.json(path)["jobs"]

    assert sorted(jobs, key=str) == sorted(run(command, "list"), key=str)
    assert len(jobs) == 2


def test_the_findings_are_those_of_clock_doctor(ask: tuple[Ask, Visitor]) -> None:
    run, visitor = ask
    changing = {"connections", "memory", "clock skew", "network"}  # what a command itself uses, or how it connects

    def steady(findings: list[dict[str, Any]]) -> list[str]:
        return sorted(str(finding) for finding in findings if finding["subject"] not in changing)

    findings = steady(visitor.json("/redis"))

    assert findings == steady(run("doctor"))
    assert len(findings) > 3


def test_batches_and_one_with_its_failures(ask: tuple[Ask, Visitor], redis: Redis) -> None:
    run, ana = ask
    batches.open_batch(redis, "import-7", batches.Batch(created=1000, description="<rows>"), now=from_ms(1000))
    lock = unique_locks.Lock("", "j1", bid="import-7")
    job = json.dumps({**JOB, "jid": "j1", "bid": "import-7"})
    unique_locks.push(redis, [unique_locks.LockedPush(lock, "mail", job, None)], now_ms=1000)
    repairs.remove_queued(redis, "mail", [job.encode()])

    batches.seal(redis, "import-7", now=from_ms(2000))

    assert ana.json("/batches") == run("batches")
    assert "ended, 1 failed" in ana.text("/batches")
    one = ana.json("/batches", bid="import-7")
    assert one == run("batches", "import-7")
    assert [(child["jid"], child["how"], child["class_name"]) for child in one["failures"]] == [
        ("j1", "deleted", "SendMailJob")
    ]
    shown = ana.text("/batches", bid="import-7")
    assert "j1" in shown
    assert "deleted" in shown


def test_limits_with_their_blocked_jobs(ask: tuple[Ask, Visitor], redis: Redis) -> None:
    run, ana = ask
    now = SystemClock().now()
    job = {**JOB, "limits": [{"name": "<crm>", "max": 1}], "enqueued_at": to_ms(now) - 7_200_000}
    redis.lpush("queue:crm", *(json.dumps({**job, "jid": jid}) for jid in "abc"))
    InProgress(redis, "host:1:a").claim(["crm"], 3, done=(), now=now, expires_seconds=60.0)
    limit_holders.set_maximum(redis, "mail", 5)

    rows = ana.json("/blocked")
    shown = ana.text("/blocked")

    assert rows == run("limits", "list")
    assert [(row["name"], row["maximum"], row["holders"], row["blocked"]) for row in rows] == [
        ("<crm>", 1, 1, 2),
        ("mail", 5, 0, 0),
    ]
    assert [row["oldest_at"] for row in rows] == [from_ms(to_ms(now) - 7_200_000).isoformat(), None]
    assert "2 h ago" in shown
    assert "5 set by hand" in shown
