"""Whatever is in Redis, a page shows it as text, in bounded size, and does not fail."""

from __future__ import annotations

import base64
import json
import re
import zlib

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.rehearsal.fake_clock import FakeClock
from clock.rehearsal.sources import loads
from clock.web import Access, Dashboard, Source
from tests.web.conftest import NOW, Visitor

NOW_SECONDS = NOW.timestamp()
LONGEST_PAGE = 400_000  # bytes, uncompressed
NAMES = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a/b/../c",
    "..",
    "100%2f%00",
    "tab\tnew\nline",
    "\x1b[2Jcleared",
    "\u202ereversed",
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}",
    "ünïcödé 名前",
    "x" * 5_000,
]
DANGEROUS = re.compile(r"<script>alert|<img src=x|onerror=alert\(1\)>|\x1b|\u202e|\x00|' onmouseover='")


def _check(page: str) -> None:
    assert not DANGEROUS.search(page)
    assert len(page.encode()) < LONGEST_PAGE


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_an_event_of_any_name_has_its_pages(redis: Redis, name: str) -> None:
    for key in ("anchor", "decided"):
        redis.hset(f"clock:ledger:{key}", name, to_ms(NOW))
    redis.hset("clock:ledger:declaration", name, f"{name} declared")
    record = {"decision": name, "due": to_ms(NOW), "reason": name, "late_ms": -5, "jids": [name], "host": name}
    redis.xadd(f"clock:history:{name}", {"entry": json.dumps(record)})
    dashboard = Dashboard(Source(redis, None, FakeClock(NOW)), access=lambda request: Access.everything(name))
    visitor = Visitor(dashboard, None)

    _check(visitor.page("/"))
    _check(visitor.page("/event", name=name))
    _check(visitor.page("/why", name=name, at="2026-03-29"))
    _check(visitor.page("/act/pause", event=name))


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_job_with_any_text_anywhere_has_its_pages(ana: Visitor, redis: Redis, name: str) -> None:
    payload = {"class": name, "jid": name, "args": [name, {name: name}], "queue": name, "tags": [name]}
    failed = {**payload, "error_class": name, "error_message": name, "error_backtrace": [name], "retry_count": 3}
    redis.sadd("queues", name)
    redis.lpush(f"queue:{name}", json.dumps(payload))
    redis.zadd("dead", {json.dumps(failed): NOW_SECONDS})
    redis.sadd("processes", name)
    info = {"concurrency": 5, "queues": [name], "hostname": name}
    redis.hset(name, mapping={"info": json.dumps(info), "beat": NOW_SECONDS, "busy": 1})
    redis.hset(f"{name}:work", name, json.dumps({"queue": name, "payload": json.dumps(payload), "run_at": 1}))

    _check(ana.page("/queues"))
    _check(ana.page("/queue", name=name))
    _check(ana.page("/job", jid=name, **{"in": f"queue:{name}", "at": ":0:4"}))
    _check(ana.page("/dead"))
    _check(ana.page("/dead", **{"class": name}))
    _check(ana.page("/job", jid=name, **{"in": "dead", "at": NOW_SECONDS}))
    _check(ana.page("/busy"))
    _check(ana.page("/processes"))


@pytest.mark.parametrize(
    "member",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[1,2]",
        b'"text"',
        b"{" * 5_000,
        b'{"class":null,"jid":{},"args":"no list","error_class":[],"retry_count":"many","clock":[]}',
        b'{"created_at":1e308,"enqueued_at":-1e300,"failed_at":"soon","error_backtrace":"eJw="}',
        b'{"clock":{"event":5,"due":"x"},"error_backtrace":"%%%","wrapped":7}',
    ],
    ids=range(9),
)
def test_an_unreadable_payload_is_shown_as_it_is(ana: Visitor, redis: Redis, member: bytes) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", member)
    redis.zadd("retry", {member: NOW_SECONDS})

    for path, query in (("/queue", {"name": "default"}), ("/retries", {}), ("/retries", {"error": "x"})):
        _check(ana.page(path, **query))
        ana.json(path, **query)
    link = re.findall(r'href="/job\?([^"]*)"', ana.page("/retries"))
    assert link
    assert ana.get("/job", jid="", **{"in": "retry", "at": NOW_SECONDS}).status == 200


def test_a_job_with_text_that_is_not_valid_utf_8_hides_no_other_job(ana: Visitor, redis: Redis) -> None:
    member = b'{"class":"%s","jid":"%s","args":["%s"],"queue":"%s","error_class":"%s"}' % ((rb"\ud800",) * 5)
    redis.sadd("queues", "default")
    redis.lpush("queue:default", member)
    for place in ("schedule", "retry", "dead"):
        redis.zadd(place, {member: NOW_SECONDS, b'{"class":"SendMailJob","jid":"b","args":[]}': NOW_SECONDS})

    _check(ana.page("/queue", name="default"))
    assert all("SendMailJob" in ana.page(path) for path in ("/scheduled", "/retries", "/dead"))


@pytest.mark.slow
def test_arguments_of_10_mb_are_cut(ana: Visitor, redis: Redis) -> None:
    redis.sadd("queues", "default")
    for number in range(3):
        redis.lpush(
            "queue:default", json.dumps({"class": "BigJob", "jid": str(number), "args": ["x" * 10_000_000]})
        )

    pages = [
        ana.page("/queue", name="default"),
        ana.page("/job", jid="0", **{"in": "queue:default", "at": ":0:4"}),
        json.dumps(ana.json("/queue", name="default")),
        json.dumps(ana.json("/job", jid="0", **{"in": "queue:default", "at": ":0:4"})),
    ]

    assert all(len(page) < LONGEST_PAGE for page in pages)
    assert "more characters" in pages[0]


def test_a_compressed_traceback_that_explodes_is_left_out(ana: Visitor, redis: Redis) -> None:
    bomb = base64.b64encode(zlib.compress(b'["' + b"x" * 50_000_000 + b'"]')).decode()
    redis.zadd("dead", {json.dumps({"class": "A", "jid": "1", "error_class": "E", "error_backtrace": bomb}): 5.0})

    _check(ana.page("/job", jid="1", **{"in": "dead", "at": 5.0}))


def test_a_cron_text_whose_description_explodes_is_cut(redis: Redis) -> None:
    minutes = ",".join(str(minute) for minute in range(60))
    text = f'from clock import cron\ncron("{minutes} 0-23 1-31 1-12 *").do(print).named("often")'
    source = Source(redis, loads(text), FakeClock(NOW))
    visitor = Visitor(Dashboard(source, access=lambda request: Access("ana")), None)

    _check(visitor.page("/"))
    _check(visitor.page("/event", name="often"))


def test_records_with_impossible_values_are_passed_over(ana: Visitor, redis: Redis) -> None:
    for entry in ("{", "[]", '{"decision":"fired"}', '{"decision":"fired","due":1e400}', '{"decision":5,"due":5}'):
        redis.xadd("clock:history:reminders", {"entry": entry})
    redis.xadd("clock:history:reminders", {"other": "field"})
    huge = {"decision": "fired", "due": to_ms(NOW), "late_ms": 10**14, "count": -3, "outcomes": "x"}
    redis.xadd("clock:history:reminders", {"entry": json.dumps(huge)})

    assert ana.json("/")[0]["last"]["late_ms"] == 10**14
    _check(ana.page("/event", name="reminders"))


@pytest.mark.parametrize(
    "key", ["schedule", "retry", "dead", "queues", "processes", "clock:paused", "clock:audit", "clock:changes"]
)
def test_a_key_of_a_wrong_type_is_named_and_hides_no_other_page(ana: Visitor, redis: Redis, key: str) -> None:
    redis.set(key, "text")

    for path in (
        "/",
        "/queues",
        "/scheduled",
        "/retries",
        "/dead",
        "/processes",
        "/batches",
        "/blocked",
        "/redis",
        "/changes",
        "/metrics",
    ):
        assert ana.get(path).status == 200 or "rename or delete it" in ana.get(path).body.decode().lower()
    assert key in ana.text("/redis")


@pytest.mark.parametrize(
    "path", ["/static/../dashboard.py", "/static/%2e%2e/x", "/static/", "/static/.", "/static/a/b"]
)
def test_no_file_outside_of_the_static_ones_is_served(ana: Visitor, path: str) -> None:
    assert ana.get(path).status == 404
