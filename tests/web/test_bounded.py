"""A page reads a bounded part of Redis, however much there is; filters offer to search on."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from redis import Redis

from clock.clocks import to_ms
from clock.inspection.events.event_rows import Summary, summaries
from clock.rehearsal.fake_clock import FakeClock
from clock.rehearsal.sources import loads
from clock.store.ledger.decision import Decision, DecisionKind, Verdict
from clock.store.ledger.ledger import RedisLedger
from clock.timetable import Timetable
from clock.web import Access, Dashboard, Source
from tests.web.conftest import EVERYTHING, NOW, Visitor

EVENTS = 700
PATIENCE_SECONDS = 60.0
FILE = "from clock import every\nfor n in range(%d): every().hour.do(print).named(f'event.{n:05}')"
PAGES = ("/", "/?state=failing", "/?state=missed", "/?order=next", "/timeline", "/event?name=event.00001")


def _visitor(redis: Redis, timetable: Timetable) -> Visitor:
    source = Source(redis, timetable, FakeClock(NOW))
    return Visitor(Dashboard(source, access=lambda request: Access.everything("ana")), None)


def _decided(redis: Redis, timetable: Timetable) -> None:
    """Each event has run; the last one, by name, has failed."""
    with redis.pipeline() as pipeline:
        for event in timetable.events:
            pipeline.hset("clock:ledger:anchor", event.name, to_ms(NOW))
            pipeline.hset("clock:ledger:decided", event.name, to_ms(NOW))
            pipeline.hset("clock:ledger:declaration", event.name, event.declaration)
            decision = "error" if event.name == f"event.{EVENTS - 1:05}" else "fired"
            record = {"decision": decision, "due": to_ms(NOW)}
            pipeline.xadd(f"clock:history:{event.name}", {"entry": json.dumps(record)})
        pipeline.execute()


def _calls(redis: Redis) -> dict[str, int]:
    return {name: one["calls"] for name, one in redis.info("commandstats").items()}


def test_a_page_sends_no_more_commands_for_more_events(redis: Redis) -> None:
    timetable = loads(FILE % EVENTS)
    _decided(redis, timetable)
    visitor = _visitor(redis, timetable)
    visitor.dashboard._data.overview(PATIENCE_SECONDS)  # a thread reads all events, whatever pages are visited

    for page in PAGES:
        visitor.dashboard._data.status.forget()
        redis.config_resetstat()
        visitor.page(*page.split("?")[:1], **dict(re.findall(r"(\w+)=([^&]+)", page)))
        calls = _calls(redis)

        assert calls.get("cmdstat_xrevrange", 0) + calls.get("cmdstat_xrange", 0) <= 550, page
        assert not calls.keys() & {"cmdstat_keys", "cmdstat_hgetall", "cmdstat_lrange", "cmdstat_scan"}, page


def test_one_visit_finds_the_one_of_many_events_that_missed_a_run_before_its_last_one(redis: Redis) -> None:
    timetable = loads(FILE % EVENTS)
    _decided(redis, timetable)
    due_ms, declaration = to_ms(NOW) + 3_600_000, timetable.events[0].declaration
    missed = Decision("event.00650", declaration, to_ms(NOW), due_ms, DecisionKind.MISSED)
    fired = replace(missed, after_ms=due_ms, due_ms=due_ms + 3_600_000, kind=DecisionKind.FIRED)
    assert RedisLedger(redis).commit([missed, fired]) == [Verdict.COMMITTED, Verdict.COMMITTED]
    last_missed = {"decision": "missed", "due": to_ms(NOW)}
    redis.zadd("clock:missed", {"event.00070": to_ms(NOW) - 8 * 86_400_000})
    redis.xadd("clock:history:event.00060", {"entry": json.dumps(last_missed)})
    visitor = _visitor(redis, timetable)
    visitor.dashboard._data.overview(PATIENCE_SECONDS)

    rows = visitor.json("/", state="missed")

    assert [row["name"] for row in rows] == ["event.00650", "event.00060"]
    assert "missed a run in the last 7 days" in visitor.text("/", state="missed")
    assert [row["missed_at"] for row in rows] == ["2026-03-29T12:00:00+00:00", None]
    assert "missed its run of" in visitor.text("/", state="missed")
    assert visitor.json("/", state="missed", order="name") == rows[::-1]
    last_page = visitor.text("/", first="1000000")
    assert f"{EVENTS - 24} to {EVENTS} of {EVENTS}" in last_page


def test_the_whole_timetable_is_in_the_order_of_the_next_run_and_of_the_last_one(redis: Redis) -> None:
    timetable = loads(FILE % EVENTS)
    _decided(redis, timetable)
    for field in ("anchor", "decided"):
        redis.hset(f"clock:ledger:{field}", "event.00690", to_ms(NOW) - 7_200_000)
    record = {"decision": "fired", "due": to_ms(NOW) + 1}
    redis.xadd("clock:history:event.00680", {"entry": json.dumps(record)})
    clock = FakeClock(NOW)
    visitor = Visitor(Dashboard(Source(redis, timetable, clock), access=lambda request: EVERYTHING), EVERYTHING)
    visitor.dashboard._data.overview(PATIENCE_SECONDS)

    first_by_next, first_by_last = (visitor.json("/", order=order)[0] for order in ("next", "last"))
    redis.hset("clock:ledger:decided", "event.00690", to_ms(NOW))  # it has run since all events were read
    caught_up = visitor.json("/", order="next")[0]
    visitor.dashboard._data._overview._repeat_at += 60  # the next reading is later
    clock.advance(timedelta(seconds=20))
    later = visitor.text("/", order="next")
    redis.hset("clock:paused", "event.00001", '{"from":0}')
    visitor.dashboard._data.paused.forget()
    paused = visitor.text("/", order="next", state="paused")

    assert (first_by_next["name"], first_by_last["name"]) == ("event.00690", "event.00680")
    assert caught_up["name"] == "event.00000"
    assert "This order is 20 s old. Up to 200 events that ran since then" in later
    assert "This order is" not in paused


def test_a_filter_may_be_in_an_order_by_time(ana: Visitor, redis: Redis) -> None:
    redis.hset("clock:paused", mapping={"reminders": '{"from":0}', "ticks": '{"from":0}'})

    names = [row["name"] for row in ana.json("/", state="paused", order="next")]

    assert names == ["ticks", "reminders"]


def test_one_visit_finds_the_one_of_many_events_that_fails(redis: Redis) -> None:
    timetable = loads(FILE % EVENTS)
    _decided(redis, timetable)
    visitor = _visitor(redis, timetable)
    visitor.dashboard._data.overview(PATIENCE_SECONDS)

    rows = visitor.json("/", state="failing")
    first = visitor.json("/")[0]

    assert [row["name"] for row in rows] == [f"event.{EVENTS - 1:05}"]
    assert first == rows[0]
    assert "1 event fails" in visitor.text("/", state="failing")


def test_a_page_shows_how_many_events_were_read_so_far(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until all have been read, no page claims that no event fails."""
    goes_on, read = threading.Event(), summaries

    def slow(connection: Redis, names: Sequence[str], *rest: Any) -> list[Summary]:
        assert names[0] == "event.00000" or goes_on.wait(PATIENCE_SECONDS)
        return read(connection, names, *rest)

    monkeypatch.setattr("clock.web.data.event_rows.summaries", slow)
    monkeypatch.setattr("clock.web.pages.schedules.PATIENCE_SECONDS", 0.0)
    timetable = loads(FILE % EVENTS)
    _decided(redis, timetable)
    visitor = _visitor(redis, timetable)

    redis.hset("clock:paused", "event.00001", '{"from":0}')
    shown = visitor.text("/", state="failing")
    twins = [
        visitor.get("/", format="json", **query).headers
        for query in ({"state": "failing"}, {"state": "paused", "order": "next"})
    ]
    goes_on.set()
    found = visitor.dashboard._data.overview(PATIENCE_SECONDS)

    assert re.search(r"\b(0|100) of 700 events have been read so far", shown)
    assert [twin["x-clock-reading"] for twin in twins] == ["true", "false"]
    assert [twin["x-clock-total"] for twin in twins] == ["0", "1"]
    assert found.is_complete
    assert list(found.troubles) == [f"event.{EVENTS - 1:05}"]


def test_the_timeline_shows_a_past_day_of_an_event_with_a_long_history(ana: Visitor, redis: Redis) -> None:
    day = to_ms(NOW) - 5 * 86_400_000
    with redis.pipeline() as pipeline:
        for minute in range(900):
            due = day + minute * 10 * 60_000
            record = {"decision": "fired", "due": due}
            pipeline.xadd("clock:history:ticks", {"entry": json.dumps(record)}, id=f"{due + 5}-0")
        pipeline.execute()

    marks = ana.json("/timeline", day="2026-03-25")["events"]["ticks"]

    assert len(marks) == 144
    assert {mark["decision"] for mark in marks} == {"fired"}


def test_the_jobs_of_the_busiest_workers_are_shown(ana: Visitor, redis: Redis) -> None:
    for number in range(120):
        name, payload = f"w{number}", json.dumps({"class": "A", "jid": f"w{number}"})
        redis.sadd("processes", name)
        redis.hset(name, mapping={"info": '{"concurrency":9}', "beat": NOW.timestamp(), "busy": number})
        redis.hset(f"{name}:work", "t", json.dumps({"payload": payload, "run_at": 1}))

    shown = {job["jid"] for job in ana.json("/busy")}

    assert shown == {f"w{number}" for number in range(70, 120)}
    assert "Only 50 of them are shown" in ana.text("/busy")
