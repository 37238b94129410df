import io
import json
import logging
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.errors import StoreUnavailable
from clock.log import configure_logging
from clock.store import keys
from clock.store.ledger import next_due
from clock.store.ledger.decision import Decision, Verdict, Verdicts
from clock.store.ledger.ledger import RedisLedger
from clock.store.ledger.next_due import Publication
from clock.testing import FakeClock
from clock.ticker import Signature, Ticker
from clock.timetable import Timetable
from tests.examples import ARE_MANY
from tests.patience import PATIENCE_SECONDS
from tests.ticker import jobs
from tests.ticker.conftest import START

Declare = Callable[..., Timetable]
Start = Callable[..., Ticker]

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAILY = 'every().day.at("06:00").do(FetchNewsJob, "news").named("daily")\n'


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    jobs.ran.clear()


def pushed(redis: Redis) -> list[dict[str, Any]]:
    rows: Any = redis.lrange("queue:default", 0, -1)
    return [json.loads(row) for row in reversed(rows)]


def history(redis: Redis, event: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = list(RedisLedger(redis).history(event))
    return found


def kinds(redis: Redis, event: str) -> list[object]:
    return [entry["decision"] for entry in reversed(history(redis, event))]


def at(clock: FakeClock, ticker: Ticker, instant: datetime) -> None:
    clock.advance(instant - clock.now())
    ticker.tick()


def test_nothing_fires_because_a_clock_started(declare: Declare, start: Start, redis: Redis) -> None:
    start(declare(DAILY + 'every(10).minutes.do(FetchNewsJob, "feed")\n'))

    assert pushed(redis) == []


def test_a_due_instant_enqueues_its_job_and_is_recorded(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    ticker = start(declare(DAILY))

    at(fake_clock, ticker, SIX + timedelta(milliseconds=3))

    [payload] = pushed(redis)
    assert (payload["class"], payload["args"], payload["queue"]) == ("FetchNewsJob", ["news"], "default")
    assert payload["clock"] == {"event": "daily", "due": int(SIX.timestamp() * 1000), "previous": None}
    [entry] = history(redis, "daily")
    assert (entry["decision"], entry["late_ms"], entry["host"], entry["release"]) == ("fired", 3, "web1", "v1")
    assert entry["jids"] == [payload["jid"]]


@pytest.mark.parametrize(
    "schedule",
    [
        'every().day.at("06:00").except_on(closed)',
        'every().day.at("06:00").except_on(closed, otherwise="next")',
        'every().day.at("06:00").except_on(closed).spread(timedelta(seconds=1)).until("2030-01-01")',
        'every().day.at(["06:00", "18:00"]).except_on(closed)',
        'every().month.on("last business day").at("06:00").except_on(closed)',
    ],
)
def test_the_job_is_pushed_before_the_users_function_computes_the_next_due_instant(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock, schedule: str
) -> None:
    pushed_before: list[int] = []
    jobs.hooks["slow"] = lambda: pushed_before.append(len(pushed(redis)))
    closed = "from tests.ticker.jobs import slow\ndef closed(day): slow()\n"
    ticker = start(declare(closed, f'{schedule}.do(FetchNewsJob, "news").named("daily")\n'))
    fake_clock.advance(ticker.next_due - fake_clock.now() if ticker.next_due else timedelta())
    pushed_before.clear()

    ticker.tick()

    assert pushed_before
    assert set(pushed_before) == {1}


def test_a_due_instant_fires_once_however_often_the_clock_looks(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    ticker = start(declare(DAILY))

    for seconds in (0, 1, 2, 59, 3600):
        at(fake_clock, ticker, SIX + seconds * SECOND)

    assert len(pushed(redis)) == 1


def test_a_restart_across_a_due_instant_enqueues_it_once(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    start(declare(DAILY))
    fake_clock.advance(timedelta(minutes=5))

    start(declare(DAILY))
    start(declare(DAILY))

    assert len(pushed(redis)) == 1
    assert kinds(redis, "daily") == ["caught_up"]


def test_a_firing_that_redis_lost_in_a_fail_over_fires_anew_though_nothing_else_is_due(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    ticker = start(declare(DAILY))
    names: Any = redis.keys()
    lagging: Any = {name: redis.dump(name) for name in names}
    at(fake_clock, ticker, SIX)
    assert len(pushed(redis)) == 1

    redis.flushall()
    for name, value in lagging.items():
        redis.restore(name, 0, value)
    fake_clock.advance(5 * SECOND)
    ticker.tick()
    ticker.tick()

    assert len(pushed(redis)) == 1
    assert kinds(redis, "daily") == ["fired"]


def test_a_due_instant_whose_jobs_redis_cannot_take_is_told_as_the_oldest_undecided_one(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    ticker = start(declare(DAILY))
    redis.set("queue:default", "in the way")

    at(fake_clock, ticker, SIX)
    at(fake_clock, ticker, SIX + 90 * SECOND)
    owed = next_due.look(redis)
    assert (owed.event, owed.due, ticker.oldest_undecided) == ("daily", SIX, SIX)
    redis.delete("queue:default")
    ticker.tick()

    assert next_due.look(redis).due == SIX + timedelta(days=1)
    assert len(pushed(redis)) == 1


def test_two_clocks_enqueue_a_due_instant_once(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    first, second = start(declare(DAILY), "web1"), start(declare(DAILY), "web2")
    fake_clock.advance(SIX - fake_clock.now())

    first.tick()
    second.tick()

    assert len(pushed(redis)) == 1
    assert [entry["host"] for entry in history(redis, "daily")] == ["web1"]


def test_a_firing_gives_its_jobs_the_same_jids_on_whichever_clock_it_runs(
    declare: Declare, redis: Redis, fake_clock: FakeClock
) -> None:
    jids = []
    for _ in range(2):
        redis.flushall()
        fake_clock.travel_to(SIX - 10 * SECOND)
        ticker = Ticker(
            declare(DAILY), ledger=RedisLedger(redis), clock=fake_clock, signature=Signature("a", "v1")
        )
        ticker.tick()
        at(fake_clock, ticker, SIX)
        jids.append(pushed(redis)[0]["jid"])

    assert jids[0] == jids[1]


def test_the_next_firing_knows_the_due_instant_before(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    ticker = start(declare(DAILY))
    at(fake_clock, ticker, SIX)
    at(fake_clock, ticker, SIX + timedelta(days=1))

    assert pushed(redis)[1]["clock"]["previous"] == pushed(redis)[0]["clock"]["due"]


def test_what_a_callable_pushes_goes_in_with_its_firing(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    lines = """
        def push():
            FetchNewsJob.perform_async("now")
            FetchNewsJob.perform_in(60, "later")
            FetchNewsJob.perform_bulk([["a"], ["b"]])
        every().day.at("06:00").do(push).named("daily")
    """
    ticker = start(declare(lines))

    at(fake_clock, ticker, SIX)

    assert [payload["args"] for payload in pushed(redis)] == [["now"], ["a"], ["b"]]
    [(_, score)] = list[Any](redis.zrange(keys.SCHEDULE, 0, 0, withscores=True))
    assert score == SIX.timestamp() + 60
    assert history(redis, "daily")[0]["jobs"] == 4


def about(caplog: pytest.LogCaptureFixture, words: str) -> dict[str, object]:
    """The fields of the one line of the log that holds these words."""
    [record] = [record for record in caplog.records if words in record.getMessage()]
    return {name: vars(record).get(name) for name in ("event", "due")}


def test_an_action_that_raises_pushes_nothing_and_the_history_says_why(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    lines = """
        def push():
            FetchNewsJob.perform_async("half")
            raise RuntimeError("no network")
        every().day.at("06:00").do(push).named("daily")
        every().day.at("06:00").do(FetchNewsJob, "other").named("other")
        @error_handler
        def report(error): ran.append(str(error))
    """
    ticker = start(declare(lines))

    at(fake_clock, ticker, SIX)

    assert [payload["args"] for payload in pushed(redis)] == [["other"]]
    [entry] = history(redis, "daily")
    assert (entry["decision"], entry["reason"]) == ("error", "RuntimeError: no network")
    assert jobs.ran == ["no network"]
    assert about(caplog, "failed") == {"event": "daily", "due": SIX.isoformat()}


def test_an_error_handler_that_raises_does_not_stop_the_clock(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    lines = """
        def fail(*args): raise SystemExit(3)
        error_handler(fail)
        every().day.at("06:00").do(fail).named("daily")
    """
    ticker = start(declare(lines))

    at(fake_clock, ticker, SIX)

    assert kinds(redis, "daily") == ["error"]


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        ("Unprintable", "Unprintable: (its message cannot be read: RuntimeError)"),
        (r"OSError('caf\udce9')", r"OSError: caf\udce9"),
        ("KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_an_error_of_any_text_does_not_stop_the_clock(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock, raised: str, reason: str
) -> None:
    lines = f"""
        class Unprintable(BaseException):
            def __str__(self): raise RuntimeError("no text")
        def fail(*args): raise {raised}
        error_handler(fail)
        every().day.at("06:00").do(fail).named("daily")
        every().day.at("06:00").do(FetchNewsJob, "other").named("other")
    """
    ticker = start(declare(lines))

    at(fake_clock, ticker, SIX)

    assert history(redis, "daily")[0]["reason"] == reason
    assert [payload["args"] for payload in pushed(redis)] == [["other"]]


def test_a_condition_that_says_no_is_recorded_and_asked_with_the_due_instant(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    lines = """
        every(timedelta(days=1), "first", at="01:00", tz="America/New_York", if_=lambda t: ran.append(t))
        @handler
        def run(name, due): ran.append(name)
    """
    ticker = start(declare(lines))

    at(fake_clock, ticker, SIX)

    [asked] = jobs.ran
    assert isinstance(asked, datetime)
    assert asked.isoformat() == "2026-11-24T01:00:00-05:00"
    assert kinds(redis, "first") == ["refused"]


def test_only_false_from_a_before_run_callback_vetoes(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    lines = """
        @on("before_run")
        def judge(event, due): return False if event.name == "no" else None
        @on("after_run")
        def after(event, due): ran.append(event.name)
        every().day.at("06:00").do(FetchNewsJob, "yes").named("yes")
        every().day.at("06:00").do(FetchNewsJob, "no").named("no")
    """
    ticker = start(declare(lines))

    at(fake_clock, ticker, SIX)

    assert [payload["args"] for payload in pushed(redis)] == [["yes"]]
    assert jobs.ran == ["yes"]
    assert (kinds(redis, "yes"), kinds(redis, "no")) == (["fired"], ["refused"])


def test_a_before_tick_callback_that_says_false_holds_everything_until_the_next_tick(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    lines = """
        configure(sleep_timeout=5)
        @on("before_tick")
        def gate():
            ran.append("tick")
            return len(ran) > 2
    """
    ticker = start(declare(lines, DAILY))

    at(fake_clock, ticker, SIX)
    held = len(pushed(redis))
    at(fake_clock, ticker, SIX + 5 * SECOND)
    at(fake_clock, ticker, SIX + 6 * SECOND)

    assert held == 0
    assert len(pushed(redis)) == 1


def test_events_due_at_one_instant_fire_in_the_files_order(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    lines = "".join(f'every().day.at("06:00").do(FetchNewsJob, "{n}")\n' for n in range(20))
    ticker = start(declare(lines))

    at(fake_clock, ticker, SIX)

    assert [payload["args"] for payload in pushed(redis)] == [[str(n)] for n in range(20)]


def test_instants_missed_for_longer_than_the_limit_are_recorded_with_the_reason(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    start(declare(DAILY))
    fake_clock.advance(timedelta(hours=5))

    start(declare(DAILY))

    assert pushed(redis) == []
    [entry] = history(redis, "daily")
    assert (entry["decision"], entry["reason"]) == ("missed", "over 1 h late, the event's catch-up limit")
    assert about(caplog, "Missed") == {"event": "daily", "due": SIX.isoformat()}


def test_a_wall_clock_set_back_repeats_nothing(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    ticker = start(declare(DAILY))
    at(fake_clock, ticker, SIX)

    fake_clock.travel_to(SIX - timedelta(minutes=3))
    ticker.tick()
    at(fake_clock, ticker, SIX + SECOND)

    assert len(pushed(redis)) == 1


def test_a_function_that_returns_cancel_job_is_not_run_again_by_any_clock(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    once = declare(
        'from clock import CancelJob\nevery(10).seconds.do(lambda: [ran.append(1), CancelJob][1]).named("once")\n'
    )
    ticker = start(once)
    for seconds in range(0, 40, 10):
        at(fake_clock, ticker, SIX + timedelta(seconds=seconds))
    other = start(once, "web2")
    at(fake_clock, other, SIX + timedelta(minutes=1))

    assert jobs.ran == [1]
    assert str(RedisLedger(redis).pauses()["once"]) == "paused by its function: it returned CancelJob"


class AwayLedger(RedisLedger):
    """A real ledger whose commits fail for a while: before they are made, or with their answers lost."""

    def __init__(self, redis: Redis, *, answer_lost: bool) -> None:
        super().__init__(redis)
        self.answer_lost = answer_lost
        self.away = False

    def commit(self, decisions: Sequence[Decision], publication: Publication | None = None) -> list[Verdict]:
        if self.away and not self.answer_lost:
            raise StoreUnavailable("away")
        verdicts = super().commit(decisions, publication)
        if self.away:
            raise StoreUnavailable("away")
        return verdicts


@pytest.mark.parametrize("answer_lost", [False, True])
def test_what_was_fired_while_redis_was_away_is_committed_once_when_it_is_back(
    declare: Declare, redis: Redis, fake_clock: FakeClock, answer_lost: bool
) -> None:
    ledger = AwayLedger(redis, answer_lost=answer_lost)
    lines = 'every().day.at("06:00").do(lambda: [ran.append(1), FetchNewsJob.perform_async("x")]).named("daily")\n'
    ticker = Ticker(declare(lines), ledger=ledger, clock=fake_clock, signature=Signature("a", "v1"))
    ticker.tick()

    ledger.away = True
    with pytest.raises(StoreUnavailable):
        at(fake_clock, ticker, SIX)
    with pytest.raises(StoreUnavailable):
        at(fake_clock, ticker, SIX + SECOND)
    ledger.away = False
    at(fake_clock, ticker, SIX + 2 * SECOND)

    assert jobs.ran == [1]
    assert len(pushed(redis)) == 1


def without_answer(call: Callable[..., object]) -> Callable[..., object]:
    """The call, whose answer is lost."""

    def lose(*given: object) -> object:
        call(*given)
        raise StoreUnavailable("the answer was lost")

    return lose


FAIL_OVER = "Redis lost recent writes (fail-over?); re-reading state"


@pytest.mark.parametrize("loses", ["commit", "mark_next_due"])
@pytest.mark.parametrize("is_older", [False, True])
def test_a_marker_set_without_an_answer_is_not_reported_as_lost_writes_but_an_older_marker_is(
    declare: Declare,
    redis: Redis,
    fake_clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    loses: str,
    is_older: bool,
) -> None:
    ledger = RedisLedger(redis)
    closed = "" if loses == "commit" else '.except_on("2030-01-01")'  # then the commit sets no marker
    lines = f'every().day.at("06:00"){closed}.do(FetchNewsJob, "x").named("daily")\n'
    ticker = Ticker(declare(lines), ledger=ledger, clock=fake_clock, signature=Signature("a", "v1"))
    ticker.tick()

    with monkeypatch.context() as lost:
        lost.setattr(ledger, loses, without_answer(getattr(ledger, loses)))
        with pytest.raises(StoreUnavailable):
            at(fake_clock, ticker, SIX)
    if is_older:
        redis.hset(keys.NEXT_DUE, "due", str(to_ms(SIX) - 86_400_000))
    with caplog.at_level(logging.INFO):
        ticker.tick()

    assert (FAIL_OVER in caplog.messages) is is_older
    assert len(pushed(redis)) == 1


def test_a_run_is_logged_once_redis_is_back_though_nothing_else_is_due(
    declare: Declare, redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = AwayLedger(redis, answer_lost=False)
    lines = 'every().day.at("06:00").do(FetchNewsJob, "x").named("daily")\n'
    ticker = Ticker(declare(lines), ledger=ledger, clock=fake_clock, signature=Signature("a", "v1"))
    ticker.tick()
    ledger.away = True
    with pytest.raises(StoreUnavailable):
        at(fake_clock, ticker, SIX)

    ledger.away = False
    with caplog.at_level(logging.INFO):
        at(fake_clock, ticker, SIX + SECOND)

    assert [record.getMessage() for record in caplog.records] == ["Triggering 'daily'"]


class Writes(io.StringIO):
    """A stream that remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def write(self, text: str) -> int:
        self.texts.append(text)
        return super().write(text)


@pytest.mark.usefixtures("log_as_before")
def test_the_lines_of_firings_at_one_instant_are_written_at_once(
    declare: Declare, redis: Redis, fake_clock: FakeClock
) -> None:
    stream = Writes()
    lines = 'for n in range(3):\n    every().day.at("06:00").do(FetchNewsJob, "x").named(f"e{n}")\n'
    ticker = Ticker(declare(lines), ledger=RedisLedger(redis), clock=fake_clock, signature=Signature("a", "v1"))
    ticker.tick()
    configure_logging("text", "info", stream=stream)

    at(fake_clock, ticker, SIX)

    [text] = stream.texts
    assert re.sub(r"^\S+Z ", "", text, flags=re.M) == "".join(f"INFO Triggering 'e{n}'\n" for n in range(3))


@pytest.mark.usefixtures("log_as_before")
def test_a_line_of_json_names_the_due_instant_of_its_firing(
    declare: Declare, redis: Redis, fake_clock: FakeClock
) -> None:
    stream = io.StringIO()
    lines = 'every().day.at("06:00").do(FetchNewsJob, "x").named("daily")\n'
    ticker = Ticker(declare(lines), ledger=RedisLedger(redis), clock=fake_clock, signature=Signature("a", "v1"))
    ticker.tick()
    configure_logging("json", "info", stream=stream)

    at(fake_clock, ticker, SIX + SECOND / 4)

    line = json.loads(stream.getvalue())
    assert (line["event"], line["due"], line["late_ms"]) == ("daily", SIX.isoformat(), 250)


def test_a_slow_action_is_named_with_what_it_made_late(
    declare: Declare, start: Start, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    lines = 'every().day.at("06:00").do(lambda: ran[0]()).named("slow")\n' + DAILY.replace("06:00", "06:00:01")
    jobs.ran.append(lambda: fake_clock.advance(4 * SECOND))
    ticker = start(declare(lines))

    with caplog.at_level(logging.WARNING):
        at(fake_clock, ticker, SIX)

    assert "'slow' blocked the clock for 4.0 s and delayed: daily by 3.0 s" in caplog.text


@pytest.mark.parametrize("options", ["", ".thread()"])
def test_an_action_that_takes_long_is_late_by_no_more_than_its_beginning(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock, options: str
) -> None:
    def act() -> None:
        fake_clock.advance(4 * SECOND)

    jobs.ran.append(act)
    ticker = start(declare(f'every().day.at("06:00").do(lambda: ran[0]()){options}.named("slow")\n'))

    at(fake_clock, ticker, SIX + SECOND)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (records := list(RedisLedger(redis).history("slow"))) and time.monotonic() < deadline:
        ticker.tick()

    assert [record["late_ms"] for record in records] == [1000]


def test_actions_on_threads_do_not_hold_up_the_clock_and_are_committed_in_their_order(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    first_began, first_may_end, second_ended = threading.Event(), threading.Event(), threading.Event()

    def act() -> None:
        if not first_began.is_set():
            first_began.set()
            first_may_end.wait(PATIENCE_SECONDS)
        else:
            second_ended.set()

    jobs.ran.append(act)
    ticker = start(declare('every().minute.at(":00").do(lambda: ran[0]()).thread().named("slow")\n' + DAILY))

    at(fake_clock, ticker, SIX)
    assert first_began.wait(PATIENCE_SECONDS)
    at(fake_clock, ticker, SIX + timedelta(minutes=1))
    assert second_ended.wait(PATIENCE_SECONDS)
    ticker.tick()
    assert (kinds(redis, "daily"), kinds(redis, "slow")) == (["fired"], [])

    first_may_end.set()
    ticker.stop()
    ticker.run()
    assert kinds(redis, "slow") == ["fired", "fired"]


@pytest.mark.slow
def test_a_year_of_restarts_every_day_loses_and_doubles_nothing(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    start(declare(DAILY))

    for day in range(365):
        fake_clock.advance(SIX + timedelta(days=day, minutes=day % 50) - fake_clock.now())
        start(declare(DAILY))

    dues = [payload["clock"]["due"] for payload in pushed(redis)]
    assert dues == [int((SIX + timedelta(days=day)).timestamp() * 1000) for day in range(365)]


@pytest.mark.slow
def test_days_of_24_restarts_each_lose_and_double_nothing(
    declare: Declare, start: Start, redis: Redis, fake_clock: FakeClock
) -> None:
    """A dyno that restarts about every hour, and is down for up to a quarter of one."""
    days = 30 if ARE_MANY else 8  # about 200 restarts
    lines = """
        configure(catch_up="all")
        every().day.at("06:00").do(FetchNewsJob, "daily").named("daily")
        every().hour.at(":30").do(FetchNewsJob, "hourly").named("hourly")
        every(10).minutes.do(FetchNewsJob, "often").named("often")
    """
    chance = random.Random(24)  # noqa: S311  # restarts, no secrets
    timetable = declare(lines)
    first = ticker = start(timetable)

    for _ in range(days * 24):
        up_until = fake_clock.now() + timedelta(minutes=chance.randrange(30, 75))
        while ticker.next_due is not None and ticker.next_due < up_until:
            fake_clock.advance(max(ticker.next_due - fake_clock.now(), timedelta(0)))
            ticker.tick()
        fake_clock.advance(up_until - fake_clock.now() + timedelta(seconds=chance.randrange(900)))
        ticker = start(timetable)

    firings = Counter((payload["clock"]["event"], payload["clock"]["due"]) for payload in pushed(redis))
    anchors = {item.event.name: item.anchor for item in first.planned}
    expected = Counter(
        (event.name, seconds * 1000)
        for seconds, event in timetable.due_between(START, fake_clock.now(), anchors=anchors)
    )
    assert firings == expected


THOUSANDS = """
    for number in range(3500):
        every().day.at("06:00").do(FetchNewsJob, str(number)).named(f"event.{number}")
"""


class HurtLedger(RedisLedger):
    """A ledger to which something happens when one of its batches is sent, and when the answer is to be heard."""

    def __init__(self, redis: Redis, batch: int, sent: Callable[[], object], heard: Callable[[], object]) -> None:
        super().__init__(redis)
        self._batches_until_hurt = batch
        self._on_sent = sent
        self._on_heard = heard

    def begin(self, decisions: Sequence[Decision], publication: Publication | None = None) -> Verdicts:
        self._batches_until_hurt -= 1
        if self._batches_until_hurt != 0:
            return super().begin(decisions, publication)
        self._on_sent()
        verdicts = super().begin(decisions, publication)

        def heard() -> list[Verdict]:
            self._on_heard()
            return verdicts()

        return heard


def hold_writes(redis: Redis) -> None:
    redis.client_pause(60_000, all=False)


def cut_connections(redis: Redis) -> None:
    redis.client_kill_filter(_type="normal")
    redis.client_unpause()


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 3, 7])
@pytest.mark.parametrize("is_taken", [False, True])
def test_thousands_due_at_once_are_each_enqueued_once_though_an_answer_is_lost_in_their_midst(
    declare: Declare, redis: Redis, fake_clock: FakeClock, batch: int, is_taken: bool
) -> None:
    def lose() -> None:
        raise StoreUnavailable("the answer was lost")

    if is_taken:
        ledger = HurtLedger(redis, batch, lambda: None, lose)
    else:
        ledger = HurtLedger(redis, batch, lambda: hold_writes(redis), lambda: cut_connections(redis))
    ticker = Ticker(declare(THOUSANDS), ledger=ledger, clock=fake_clock, signature=Signature("a", "v1"))
    ticker.tick()

    fake_clock.advance(SIX - fake_clock.now())
    with pytest.raises(StoreUnavailable):
        ticker.tick()
    ticker.tick()

    assert [payload["args"] for payload in pushed(redis)] == [[str(number)] for number in range(3500)]


@pytest.mark.slow
def test_thousands_due_at_once_are_each_enqueued_once_though_redis_forgets_the_script_in_their_midst(
    declare: Declare, redis: Redis, fake_clock: FakeClock
) -> None:
    ledger = HurtLedger(redis, 2, redis.script_flush, lambda: None)
    ticker = Ticker(declare(THOUSANDS), ledger=ledger, clock=fake_clock, signature=Signature("a", "v1"))
    ticker.tick()

    at(fake_clock, ticker, SIX)

    assert [payload["args"] for payload in pushed(redis)] == [[str(number)] for number in range(3500)]
