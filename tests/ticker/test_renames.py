"""`.named("new", was="old")`: the event keeps its anchor, history and pauses, and each due instant fires once."""

import json
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.errors import Outranked
from clock.rehearsal.ledger import MemoryLedger
from clock.rehearsal.rehearsal import run
from clock.store import keys, listing
from clock.store.ledger import history, pauses
from clock.store.ledger.entry import Entry
from clock.store.ledger.lease import Lease
from clock.store.ledger.ledger import RedisLedger
from clock.store.ledger.pauses import Pause
from clock.testing import FakeClock
from clock.ticker import ON_THE_LOOP, Signature, Ticker
from clock.timetable import Timetable
from tests.ticker import jobs

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def minutely(name: str, was: object = None) -> str:
    renamed = "" if was is None else f", was={was!r}"
    words = 'every().minute.at(":00").catch_up("all").do(FetchNewsJob, "x")'
    return f"{words}.named({name!r}{renamed})\n"


OLD, NEW = minutely("old"), minutely("new", "old")

Clocks = Callable[[str, int], Ticker]


@pytest.fixture
def clock_of(redis: Redis, fake_clock: FakeClock, declare: Callable[..., Timetable]) -> Clocks:
    """A clock of a release that has not looked yet."""

    def begin(lines: str, rank: int) -> Ticker:
        name = f"v{rank}"
        ledger = RedisLedger(redis, release=name, rank=rank)
        return Ticker(declare(lines), ledger=ledger, clock=fake_clock, signature=Signature("web1", name))

    return begin


@pytest.fixture
def lead(redis: Redis, clock_of: Clocks) -> Clocks:
    """A clock of a release that has taken the lead, and looked once."""

    def begin(lines: str, rank: int) -> Ticker:
        take_lead(redis, rank)
        ticker = clock_of(lines, rank)
        ticker.tick()
        return ticker

    return begin


def take_lead(redis: Redis, rank: int) -> None:
    redis.delete(keys.LEASE)  # the one before has crashed
    Lease(redis, identity=f"v{rank}", release=f"v{rank}", rank=rank).take(60)


def fired(redis: Redis) -> list[tuple[str, str]]:
    """(event, due instant) of the jobs that were pushed, in the order of their due instants."""
    rows: Any = redis.lrange("queue:default", 0, -1)
    firings = sorted((json.loads(row)["clock"] for row in rows), key=lambda firing: firing["due"])
    return [(firing["event"], f"{datetime.fromtimestamp(firing['due'] / 1000, UTC):%H:%M}") for firing in firings]


def entry(redis: Redis, event: str) -> Entry:
    return listing.ledger(redis)[event].entry


def test_a_renamed_event_keeps_its_anchor_history_and_pauses(
    lead: Clocks, redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    old = lead(OLD, 41)
    fake_clock.travel_to(SIX)
    old.tick()
    before, paused = entry(redis, "old"), Pause(SIX + 2 * MINUTE)
    pauses.pause(redis, "old", paused)
    redis.zadd(keys.MISSED, {"old": 5, "new": 7})
    history.add_outcome(redis, "old", "j1", {"outcome": "done", "at": 1, "took_ms": 1}, ended=True)

    lead(NEW, 42)

    assert entry(redis, "new") == before
    assert [record["decision"] for record in history.read(redis, "new")] == ["fired"]
    assert pauses.read(redis) == {"new": paused}
    assert redis.exists(keys.HISTORY + "old", keys.OUTCOMES + "old", keys.WATCHED + "old") == 0
    assert redis.xlen(keys.OUTCOMES + "new") == 1
    assert redis.zrange(keys.MISSED, 0, -1, withscores=True) == [(b"new", 5)]
    assert listing.ledger(redis).keys() == {"new"}
    assert "Renamed 'old' to 'new': anchor, history and pauses are kept" in caplog.messages


def test_what_was_missed_during_the_deploy_is_caught_up_once(
    lead: Clocks, redis: Redis, fake_clock: FakeClock
) -> None:
    old = lead(OLD, 41)
    fake_clock.travel_to(SIX)
    old.tick()
    fake_clock.travel_to(SIX + 3.5 * MINUTE)

    lead(NEW, 42).tick()
    lead(NEW, 43).tick()

    assert fired(redis) == [("old", "06:00"), ("new", "06:01"), ("new", "06:02"), ("new", "06:03")]


def test_an_event_may_be_renamed_twice(lead: Clocks, redis: Redis, fake_clock: FakeClock) -> None:
    lead(minutely("a"), 1)
    first_seen = entry(redis, "a")
    fake_clock.travel_to(SIX)
    lead(minutely("b", "a"), 2)
    fake_clock.travel_to(SIX + MINUTE)

    lead(minutely("c", "b"), 3)

    assert fired(redis) == [("b", "06:00"), ("c", "06:01")]
    found = entry(redis, "c")
    assert found.anchor_ms == first_seen.anchor_ms
    assert len(list(history.read(redis, "c"))) == 2


def test_an_installation_that_skipped_a_release_names_all_old_names(
    lead: Clocks, redis: Redis, fake_clock: FakeClock
) -> None:
    lead(minutely("a"), 1)
    first_seen = entry(redis, "a")

    lead(minutely("c", ["a", "b"]), 3)

    assert entry(redis, "c") == first_seen


def test_a_clock_of_the_old_release_that_leads_again_goes_on_where_the_new_one_stopped(
    lead: Clocks, redis: Redis, fake_clock: FakeClock
) -> None:
    old = lead(OLD, 41)
    fake_clock.travel_to(SIX)
    old.tick()
    new = lead(NEW, 42)
    fake_clock.travel_to(SIX + MINUTE)
    old.tick()
    with pytest.raises(Outranked):
        old.tick()
    new.tick()

    take_lead(redis, 41)
    old.read_ledger_again()
    fake_clock.travel_to(SIX + 2 * MINUTE)
    old.tick()
    lead(NEW, 43)
    fake_clock.travel_to(SIX + 3 * MINUTE)
    lead(NEW, 44)

    assert fired(redis) == [("old", "06:00"), ("new", "06:01"), ("old", "06:02"), ("new", "06:03")]
    assert len(list(history.read(redis, "new"))) == 4
    assert redis.hgetall(keys.LEDGER_RENAMED) == {b"old": b"new"}


FILES = [minutely("a"), minutely("b", "a"), minutely("c", ["a", "b"]), minutely("a", ["b", "c"])]


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))])
def test_each_due_instant_fires_once_whichever_release_leads(
    clock_of: Clocks, redis: Redis, fake_clock: FakeClock, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  # no secret
    clocks = [clock_of(lines, rank) for rank, lines in enumerate(FILES, 1)]
    take_lead(redis, 1)
    clocks[0].tick()
    fake_clock.travel_to(SIX)
    for _ in range(20):
        rank = chance.randint(1, len(FILES))
        take_lead(redis, rank)
        clocks[rank - 1].read_ledger_again()
        for _ in range(chance.randint(1, 3)):
            fake_clock.advance(timedelta(seconds=chance.choice([20, 60, 150])))
            with suppress(Outranked):
                chance.choice(clocks).tick()  # it does not know yet that another one leads
            clocks[rank - 1].tick()  # a decision that the ledger refuses has it read the ledger again
            clocks[rank - 1].tick()

    minutes = [due for _, due in fired(redis)]
    passed = int((fake_clock.now() - SIX) / MINUTE) + 1
    assert minutes == [f"{SIX + number * MINUTE:%H:%M}" for number in range(passed)]


def test_a_name_that_is_used_for_another_event_later_takes_nothing_with_it(
    lead: Clocks, redis: Redis, fake_clock: FakeClock
) -> None:
    lead(OLD, 41)
    first_seen = entry(redis, "old")
    lead(NEW, 42)
    fake_clock.travel_to(SIX)

    lead(minutely("new") + minutely("old"), 43)

    found, other = entry(redis, "new"), entry(redis, "old")
    assert (found.anchor_ms, other.anchor_ms) == (first_seen.anchor_ms, to_ms(SIX))
    assert redis.hgetall(keys.LEDGER_RENAMED) == {}


def test_a_rename_to_a_name_that_redis_has_as_well_is_refused(
    lead: Clocks, redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    lead(minutely("old"), 40)
    fake_clock.travel_to(SIX)
    lead(minutely("old") + minutely("new"), 41)
    own = entry(redis, "new")

    new = lead(NEW, 42)
    new.read_ledger_again()
    new.tick()

    assert entry(redis, "new") == own
    assert caplog.messages == [
        "Did not rename 'old' to 'new': Redis has both events. 'new' goes on with its own state; remove was='old'"
    ]


def test_an_event_that_left_the_file_gives_its_name_to_a_renamed_one(
    lead: Clocks, redis: Redis, fake_clock: FakeClock
) -> None:
    lead(minutely("old") + minutely("new"), 40)
    lead(minutely("old"), 41)
    kept = entry(redis, "old")
    fake_clock.travel_to(SIX)

    lead(NEW, 42)

    found = entry(redis, "new")
    assert found.anchor_ms == kept.anchor_ms
    assert [due for _, due in fired(redis)] == ["06:00"]


def test_a_job_that_ends_after_the_rename_is_recorded_under_the_new_name(
    lead: Clocks, redis: Redis, fake_clock: FakeClock
) -> None:
    lines = 'every().minute.at(":00").overlap("skip").do(FetchNewsJob, "x")'
    old = lead(f"{lines}.named('old')", 41)
    fake_clock.travel_to(SIX)
    old.tick()
    lead(f"{lines}.named('new', was='old')", 42)
    [record] = history.read(redis, "new")
    [jid] = record["jids"]

    history.add_outcome(redis, "old", jid, {"outcome": "done", "at": 1, "took_ms": 1}, ended=True)

    [record] = history.read(redis, "new")
    assert record["outcomes"][jid]["outcome"] == "done"
    assert RedisLedger(redis).running("new", to_ms(fake_clock.now())) == 0


def test_the_new_clock_restores_a_renamed_entry_that_redis_lost(
    lead: Clocks, redis: Redis, fake_clock: FakeClock
) -> None:
    lead(OLD, 41)
    new = lead(NEW, 42)
    fake_clock.travel_to(SIX)
    new.tick()
    known = entry(redis, "new")
    redis.flushall()

    new.read_ledger_again()
    new.tick()

    assert entry(redis, "new") == known


def test_a_row_of_a_database_may_say_what_it_was(
    redis: Redis, fake_clock: FakeClock, declare: Callable[..., Timetable]
) -> None:
    jobs.rows = [{"name": "old", "every": "1 hour", "at": "**:00"}]
    lines = "from clock import sync_events\nfrom tests.ticker.jobs import load_rows\n"
    timetable = declare(lines + "sync_events(load_rows, every=timedelta(minutes=1), do=FetchNewsJob)\n")
    ledger, signature = RedisLedger(redis), Signature("web1", "v1")
    ticker = Ticker(timetable, ledger=ledger, clock=fake_clock, signature=signature, mode=ON_THE_LOOP)
    ticker.tick()
    first_seen = entry(redis, "old")

    jobs.rows = [{"name": "new", "was": "old", "every": "1 hour", "at": "**:00"}]
    fake_clock.advance(2 * MINUTE)
    ticker.tick()
    ticker.tick()

    assert fired(redis) == [("new", "06:00")]
    found = entry(redis, "new")
    assert found.anchor_ms == first_seen.anchor_ms
    assert listing.ledger(redis).keys() == {"new"}


def test_a_rehearsal_that_goes_on_from_a_ledger_knows_renames(declare: Callable[..., Timetable]) -> None:
    first = run(declare(OLD), start_time=SIX - MINUTE, end_time=SIX + MINUTE)
    second = run(declare(NEW), start_time=SIX + MINUTE, end_time=SIX + 3 * MINUTE, ledger=first.ledger)
    third = run(declare(OLD), start_time=SIX + 3 * MINUTE, end_time=SIX + 4 * MINUTE, ledger=second.ledger)

    assert second.ledger.rows.keys() == {"new"}
    assert third.ledger.rows.keys() == {"old"}
    assert third.ledger.entry("old").anchor_ms == first.ledger.entry("old").anchor_ms
    assert [*map(to_ms, second.fires("new")), *map(to_ms, third.fires("old"))] == [
        to_ms(SIX + number * MINUTE) for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("new", ["RedisLedger", "MemoryLedger"])
def test_both_ledgers_rename_alike(redis: Redis, new: str) -> None:
    ledger: Any = RedisLedger(redis) if new == "RedisLedger" else MemoryLedger()
    now = to_ms(SIX)
    [a, b] = ledger.declare([("a", "x"), ("b", "x")], now)
    ledger.pause("a", Pause(SIX))

    [kept] = ledger.declare([("b", "x")], now + 1000, was={"b": ["a"]})  # refused: it has an entry of its own
    [moved] = ledger.declare([("c", "x")], now + 2000, was={"c": ["gone", "a"]})
    [back] = ledger.declare([("a", "x")], now + 3000, names={"a", "b"})
    [other] = ledger.declare([("c", "x")], now + 4000, names={"a", "c"})

    assert [kept, moved, back] == [b, a, a]
    assert ledger.pauses() == {"a": Pause(SIX)}
    assert other == Entry(now + 4000, now + 3000)
