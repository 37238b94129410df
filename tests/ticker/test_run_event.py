"""One firing: its outcome, its log lines, and what must not wait for the user's code."""

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis

from clock.store.ledger.ledger import BATCH, RedisLedger
from clock.store.server.connection import connect, using_default
from clock.testing import FakeClock
from clock.ticker import ON_THE_LOOP, Signature, Ticker
from clock.ticker.firing.run_event import run as fire
from clock.ticker.planning.catch_up import Due
from clock.timetable import Timetable
from tests.patience import PATIENCE_SECONDS, eventually
from tests.ticker import jobs
from tests.ticker.conftest import START

MANY = BATCH + 100  # more than one batch: the first is under way when the callable's turn comes
SLOW = "from tests.ticker.jobs import slow\n"
JOBS = f"""
for number in range({MANY}):
    every().minute.do(FetchNewsJob, number).named(f"job {{number}}")
"""


@pytest.fixture
def only_connection(redis: Redis, redis_url: str) -> Any:
    """The one connection that the ledger and the pushes share here."""
    only = connect(redis_url, max_connections=1)
    with using_default(only):
        yield only
    only.close()


def tick_twice(timetable: Timetable, redis: Redis, clock: FakeClock) -> None:
    ticker = Ticker(timetable, ledger=RedisLedger(redis), clock=clock, signature=Signature("web1", "v1"))
    ticker.tick()
    clock.advance(timedelta(minutes=1))
    ticker.tick()


@pytest.mark.parametrize(
    "slow",
    [
        "every().minute.do(slow).named('slow')",
        "every().minute.if_(lambda due: slow()).do(FetchNewsJob, 'x').named('slow')",
        "every().minute.do(FetchNewsJob, 'x').named('slow').overlap('skip').if_(lambda due: slow())",
    ],
)
def test_all_jobs_due_before_a_callable_are_in_redis_while_it_runs(
    declare: Callable[..., Timetable], only_connection: Redis, redis: Redis, fake_clock: FakeClock, slow: str
) -> None:
    seen: list[int] = []
    jobs.hooks["slow"] = lambda: seen.append(redis.llen("queue:default"))

    tick_twice(declare(SLOW, JOBS, slow), only_connection, fake_clock)

    assert seen == [MANY]


def test_a_push_from_a_thread_of_a_callable_finds_the_connection_free(
    declare: Callable[..., Timetable], only_connection: Redis, redis: Redis, fake_clock: FakeClock
) -> None:
    waits: list[bool] = []

    def push_on_a_thread() -> None:
        thread = Thread(target=jobs.FetchNewsJob.perform_async, args=("by hand",))
        thread.start()
        thread.join(PATIENCE_SECONDS)
        waits.append(thread.is_alive())

    jobs.hooks["slow"] = push_on_a_thread

    tick_twice(declare(SLOW, JOBS, "every().minute.do(slow)\n"), only_connection, fake_clock)

    newest: Any = redis.lindex("queue:default", 0)
    assert (waits, json.loads(newest)["args"]) == ([False], ["by hand"])


def test_a_slow_condition_of_a_job_event_does_not_hold_up_what_fired_before_it(
    declare: Callable[..., Timetable], only_connection: Redis, redis: Redis, fake_clock: FakeClock
) -> None:
    seen: list[int] = []

    def take_a_second() -> bool:
        seen.append(redis.llen("queue:default"))
        fake_clock.advance(timedelta(seconds=1))
        return True

    jobs.hooks["slow"] = take_a_second
    lines = (
        "for n in range(3):\n    every().minute.if_(lambda due: slow()).do(FetchNewsJob, n).named(f'slow {n}')\n"
    )

    tick_twice(declare(SLOW, lines), only_connection, fake_clock)

    assert seen == [0, 1, 2]


ACT = """
from tests.ticker.jobs import find_rows
def act(*args):
    if "fail" in ran: raise RuntimeError("no network")
"""


@pytest.mark.parametrize(
    ("options", "callback", "counts"),
    [
        ("", "", True),
        ("if_=lambda t: False", "", False),
        ("if_=lambda t: 1 // 0", "", False),
        ("if_=lambda t: True", "", True),
        ("", "on('before_run')(lambda event, due: False)", False),
        ("", "on('before_run')(lambda event, due: 1 // 0)", False),
        ("", "on('after_run')(lambda event, due: 1 // 0)", True),
        ("", "ran.append('fail')", True),
    ],
)
def test_a_firing_counts_unless_it_ended_before_its_action(
    declare: Callable[..., Timetable], options: str, callback: str, counts: bool
) -> None:
    jobs.ran.clear()
    timetable = declare(ACT, f"every(timedelta(minutes=10), 'a', {options})(act)\n", callback)

    outcome = fire(timetable, timetable.events[0], Due(START, None, START))

    assert outcome.counts is counts
    assert (outcome.kind in ("fired", "error")) or outcome.reason


def answers(*given: bool) -> None:
    """The answers of the condition `slow`, one after the other."""
    each = iter(given)
    jobs.hooks["slow"] = lambda: next(each)


def ticks(timetable: Timetable, redis: Redis, clock: FakeClock, event: str, count: int) -> None:
    """Tick at once and then each minute, until so many due instants of the event are decided."""
    ticker = Ticker(timetable, ledger=RedisLedger(redis), clock=clock, signature=Signature("web1", "v1"))
    for number in range(1, count + 1):

        def is_decided(number: int = number) -> bool:
            ticker.tick()
            return sum(int(str(record.get("count", 1))) for record in RedisLedger(redis).history(event)) >= number

        eventually(is_decided, f"decision {number} of {event}")
        clock.advance(timedelta(minutes=1))
    ticker.stop()


ROW_WITH_CONDITION = """
class Row:
    id, name, every = 1, "asked", "10 minutes"
    def if_(self, due): return slow()
from clock import sync_events
sync_events(lambda: [Row()], every=timedelta(minutes=1), do=FetchNewsJob)
"""


@pytest.mark.parametrize("options", ["", ", thread=True"])
def test_an_event_that_asks_again_is_logged_when_it_runs_and_not_at_each_refusal(
    declare: Callable[..., Timetable],
    redis: Redis,
    fake_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    options: str,
) -> None:
    caplog.set_level("INFO", "clock.clock")
    answers(False, False, True)
    declared = f"every(timedelta(minutes=10), 'asked', if_=lambda t: slow(){options})(lambda *_: None)\n"

    ticks(declare(SLOW, declared), redis, fake_clock, "asked", 3)

    assert [message for message in caplog.messages if "Triggering" in message] == ["Triggering 'asked'"]


def test_a_job_of_a_row_that_asks_again_is_logged_when_it_runs_and_not_at_each_refusal(
    declare: Callable[..., Timetable], redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "clock.clock")
    answers(False, False, True)
    timetable = declare(SLOW, ROW_WITH_CONDITION)
    signature = Signature("web1", "v1")
    ticker = Ticker(timetable, ledger=RedisLedger(redis), clock=fake_clock, signature=signature, mode=ON_THE_LOOP)
    counts = []

    for _ in range(3):
        ticker.tick()
        ticker.tick()
        counts.append(caplog.messages.count("Triggering 'asked'"))
        fake_clock.advance(timedelta(minutes=1))

    assert counts == [0, 0, 1]


@pytest.mark.parametrize("options", ["", ".thread()"])
def test_any_other_event_is_logged_when_it_is_due_though_its_condition_refuses(
    declare: Callable[..., Timetable],
    redis: Redis,
    fake_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    options: str,
) -> None:
    caplog.set_level("INFO", "clock.clock")
    answers(False, True)
    timetable = declare(SLOW, f"every().minute.if_(lambda t: slow()).do(print).named('plain'){options}\n")
    ticker = Ticker(timetable, ledger=RedisLedger(redis), clock=fake_clock, signature=Signature("web1", "v1"))
    ticker.tick()

    fake_clock.advance(timedelta(minutes=1))
    ticker.tick()

    assert caplog.messages.count("Triggering 'plain'") == 1


@pytest.mark.parametrize(("seconds", "is_slow"), [(1.0, False), (1.1, True)])
def test_an_action_that_blocks_the_loop_for_over_a_second_is_named(
    declare: Callable[..., Timetable],
    redis: Redis,
    fake_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    seconds: float,
    is_slow: bool,
) -> None:
    jobs.hooks["slow"] = lambda: fake_clock.advance(timedelta(seconds=seconds))

    tick_twice(declare(SLOW, "every().minute.do(slow).named('slow')\n"), redis, fake_clock)

    assert ("'slow' blocked the clock" in caplog.text) is is_slow


@pytest.mark.parametrize("is_configured", [True, False])
def test_a_firing_closes_django_s_old_connections_before_and_after_its_action(
    declare: Callable[..., Timetable], monkeypatch: pytest.MonkeyPatch, is_configured: bool
) -> None:
    jobs.ran.clear()
    close = SimpleNamespace(close_old_connections=lambda: jobs.ran.append("closed"))
    monkeypatch.setitem(sys.modules, "django.db", close)
    configured = SimpleNamespace(settings=SimpleNamespace(configured=is_configured))
    monkeypatch.setitem(sys.modules, "django.conf", configured)
    timetable = declare("every().minute.do(lambda: ran.append('ran'))\n")

    fire(timetable, timetable.events[0], Due(START, None, START))

    assert jobs.ran == (["closed", "ran", "closed"] if is_configured else ["ran"])


def test_instants_that_an_event_on_threads_missed_are_decided_after_its_earlier_runs(
    declare: Callable[..., Timetable], redis: Redis, fake_clock: FakeClock
) -> None:
    may_end = Event()
    jobs.hooks["slow"] = lambda: may_end.wait(PATIENCE_SECONDS)
    lines = "every().minute.do(slow).named('slow').thread().catch_up('latest', timedelta(minutes=5))\n"
    timetable = declare(SLOW, lines)
    ticker = Ticker(timetable, ledger=RedisLedger(redis), clock=fake_clock, signature=Signature("web1", "v1"))
    ticker.tick()

    for _ in range(2):
        fake_clock.advance(timedelta(minutes=1))
        ticker.tick()
        fake_clock.advance(timedelta(hours=1))
    before = list(RedisLedger(redis).history("slow"))
    may_end.set()

    def kinds() -> list[object]:
        ticker.tick()
        return [record["decision"] for record in RedisLedger(redis).history("slow")]

    eventually(lambda: len(kinds()) >= 4, "all decisions")
    assert before == []
    assert kinds()[-3:] == ["missed", "missed", "fired"]


@pytest.mark.parametrize(("error", "has_traceback"), [("RuntimeError", True), ("DeclarationError", False)])
def test_an_error_is_logged_with_its_traceback_unless_its_message_names_the_cure(
    declare: Callable[..., Timetable], caplog: pytest.LogCaptureFixture, error: str, has_traceback: bool
) -> None:
    action = f"from clock.errors import DeclarationError\ndef broken(*_): raise {error}('no such row')\n"
    timetable = declare(action, "every().minute.do(broken).named('broken')\n")

    fire(timetable, timetable.events[0], Due(START, None, START))

    [record] = [record for record in caplog.records if "no such row" in record.getMessage()]
    assert bool(record.exc_info) is has_traceback


@pytest.mark.parametrize(
    ("declaration", "what"),
    [
        ("every().minute.do(lambda: work()).named('odd')", "the action"),
        ("every().minute.if_(lambda due: work()).do(FetchNewsJob, 'x').named('odd')", "the condition"),
        (
            "on('before_run')(lambda event, due: work())\nevery().minute.do(FetchNewsJob, 'x').named('odd')",
            "a callback",
        ),
    ],
)
def test_a_coroutine_that_a_function_returns_is_an_error_of_the_firing(
    declare: Callable[..., Timetable],
    redis: Redis,
    fake_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    declaration: str,
    what: str,
) -> None:
    tick_twice(declare(f"async def work(): ...\n{declaration}"), redis, fake_clock)

    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert f"{what} returned a coroutine that is never awaited; write asyncio.run(...)" in record.getMessage()
    assert redis.llen("queue:default") == 0


def test_a_coroutine_that_after_run_returns_is_logged_and_the_jobs_are_pushed(
    declare: Callable[..., Timetable], redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    lines = "async def work(): ...\non('after_run')(lambda event, due: work())\n"

    tick_twice(declare(f"{lines}every().minute.if_(lambda due: True).do(FetchNewsJob, 'x')"), redis, fake_clock)

    assert "the callback returned a coroutine that is never awaited" in caplog.text
    assert redis.llen("queue:default") == 1
