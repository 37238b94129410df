from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.inspection.events.event_rows import Summary, summaries
from clock.rehearsal.fake_clock import FakeClock
from clock.store.server.connection import connect
from clock.timetable import Timetable
from clock.web import Dashboard, Source
from clock.web.cache import STALE_SECONDS, Background, Overview
from tests.web.conftest import EVERYTHING, NOW, Visitor

FINE, FAILS = Summary("", None, None), Summary("failing", None, None)
NAMES = [f"event.{number:03}" for number in range(150)]
PATIENCE_SECONDS = 60.0


def test_after_a_pause_in_visits_what_was_read_before_is_not_shown_as_complete() -> None:
    goes_on, clock = threading.Event(), FakeClock(NOW)

    def read(names: Sequence[str]) -> list[Summary]:
        assert goes_on.wait(PATIENCE_SECONDS)
        return [FAILS if name == NAMES[-1] else FINE for name in names]

    overview = Overview(read, clock=clock)
    goes_on.set()
    first = overview.get(NAMES, PATIENCE_SECONDS)
    goes_on.clear()
    clock.advance(timedelta(seconds=STALE_SECONDS + 10))

    after_the_pause = overview.get(NAMES)
    goes_on.set()
    at_last = overview.get(NAMES, PATIENCE_SECONDS)

    assert first.is_complete
    assert (after_the_pause.is_complete, after_the_pause.looked) == (False, 0)
    assert at_last.is_complete
    assert at_last.troubles == {NAMES[-1]: "failing"}


def test_an_error_of_the_reading_is_shown_until_a_reading_succeeds(
    redis: Redis, redis_url: str, timetable: Timetable
) -> None:
    redis.acl_setuser("blind", enabled=True, nopass=True, keys=["clock:history:*"], commands=["+@all"])
    blind = connect(redis_url.replace("//", "//blind:any@", 1))
    source = Source(redis, timetable, FakeClock(NOW))
    ana = Visitor(Dashboard(source, access=lambda request: EVERYTHING), EVERYTHING)
    read = partial(summaries, blind, declared={}, now=NOW)
    ana.dashboard._data._overview = Overview(read, clock=source.clock)

    failing, front = ana.get("/", state="failing"), ana.text("/")
    redis.acl_setuser("blind", enabled=True, keys=["*"])
    ana.dashboard._data.changed()
    cured = ana.text("/", state="failing")
    blind.close()
    redis.acl_deluser("blind")

    assert failing.status == 503
    assert b"permission" in failing.body
    assert "The dashboard could not read which events fail:" in front
    assert "being read" not in front
    assert "No event matches" in cured


def test_a_reading_that_a_change_has_overtaken_is_thrown_away() -> None:
    begun, goes_on, readers = threading.Event(), threading.Event(), list[threading.Thread]()

    def read(names: Sequence[str]) -> list[Summary]:
        readers.append(threading.current_thread())
        if len(readers) == 1:
            begun.set()
            assert goes_on.wait(PATIENCE_SECONDS)
            return [FAILS for _ in names]
        return [FINE for _ in names]

    overview = Overview(read, clock=FakeClock(NOW))
    overview.get(NAMES)
    assert begun.wait(PATIENCE_SECONDS)
    overview.forget()
    goes_on.set()
    readers[0].join(PATIENCE_SECONDS)

    found = overview.get(NAMES, PATIENCE_SECONDS)
    assert (found.is_complete, found.troubles) == (True, {})


def test_a_thread_that_cannot_be_started_is_started_at_the_next_visit(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    overview = Overview(lambda names: [FAILS for _ in names], clock=FakeClock(NOW))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            overview.get(NAMES)

    assert overview.get(NAMES, PATIENCE_SECONDS).is_complete


def test_a_forked_child_reads_for_itself() -> None:
    goes_on, parent = threading.Event(), os.getpid()

    def read(names: Sequence[str]) -> list[Summary]:
        assert os.getpid() != parent or goes_on.wait(PATIENCE_SECONDS)
        return [FINE for _ in names]

    overview = Overview(read, clock=FakeClock(NOW))
    computed: Background[str, list[Summary]] = Background(lambda key: read([key]), 60.0, clock=FakeClock(NOW))
    overview.get(NAMES)
    computed.get("a", 0.0)
    child = os.fork()
    if not child:
        is_read = overview.get(NAMES, 20.0).is_complete and computed.get("a", 20.0) is not None
        os._exit(0 if is_read else 1)
    goes_on.set()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    ("outcome", "is_failing"),
    [
        ({"outcome": "retry"}, True),
        ({"outcome": "dead"}, True),
        ({"outcome": "dropped", "failed": True}, True),
        ({"outcome": "dropped"}, False),
        ({"outcome": "done"}, False),
    ],
)
def test_an_event_fails_if_its_latest_job_with_an_outcome_failed(
    ana: Visitor, redis: Redis, outcome: dict[str, object], is_failing: bool
) -> None:
    """Its newest run was just pushed, and has no outcome yet."""
    for jid in ("old", "new"):
        record = {"decision": "fired", "due": to_ms(NOW), "jobs": 1, "jids": [jid]}
        redis.xadd("clock:history:ticks", {"entry": json.dumps(record)})
    for ended in ({"outcome": "done" if is_failing else "dead"}, outcome):
        entry = {"jid": "old", "at": to_ms(NOW), "took_ms": 3, "error": "ValueError: card", **ended}
        redis.xadd("clock:outcomes:ticks", {"entry": json.dumps(entry)})

    shown, failing = ana.text("/"), ana.json("/", state="failing")

    assert [row["name"] for row in failing] == (["ticks"] if is_failing else [])
    assert ("job failed fired" in shown) == is_failing
    assert ("1 event fails" in shown) == is_failing
