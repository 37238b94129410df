"""Backfills: past due instants that did not run are run, each once."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import cast

import pytest
from redis import Redis

from clock import api
from clock.clocks import to_ms
from clock.errors import ClockError, ConfigurationError, StoreError
from clock.job.push.client import using_clock
from clock.rehearsal.fake_clock import FakeClock
from clock.store.ledger.held_pushes import jid_of
from clock.store.ledger.ledger import RedisLedger
from clock.ticker import Signature, Ticker
from clock.ticker.requested_runs import Backfill
from clock.timetable import load

NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FILE = """
from clock import configure, every, cron
from tests.ticker.jobs import FetchNewsJob
configure(tz="UTC")
"""
TWO_QUEUES = """
def push():
    FetchNewsJob.set(queue=next(queues)).perform_async(1)
every().day.at("06:00").named("daily").do(push)
"""
DAILY = 'every().day.at("06:00").named("daily").do(FetchNewsJob, 1)\n'


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    clock = FakeClock(NOW)
    with using_clock(clock):
        yield clock


@pytest.fixture
def declare(tmp_path: Path, redis: Redis, clock: FakeClock) -> Callable[[str], api.Events]:
    """The events of a clock file with these lines; each call writes another file."""
    numbers = count()

    def write(lines: str) -> api.Events:
        path = tmp_path / f"clock{next(numbers)}.py"
        path.write_text(FILE + lines)
        return api.Events(load(path), redis=redis)

    return write


def ran_at(events: api.Events, redis: Redis, *times: datetime) -> None:
    """A clock runs at these times, and at no other."""
    assert events.timetable
    fake = FakeClock(times[0])
    with using_clock(fake):
        ticker = Ticker(events.timetable, ledger=RedisLedger(redis), clock=fake, signature=Signature("web1", "v1"))
        for time in times:
            fake.advance(time - fake.now())
            ticker.tick()


def waiting(redis: Redis) -> list[str]:
    """The jids that wait in the queue, the oldest first."""
    return [job.jid for job in api.Queue("default", redis=redis)]


def test_a_backfill_runs_what_was_missed_with_the_jids_of_the_schedule(
    redis: Redis, declare: Callable[[str], api.Events]
) -> None:
    events = declare(DAILY)
    ran_at(events, redis, NOW - 9 * DAY, NOW - 8 * DAY - timedelta(hours=6), NOW - timedelta(hours=1))
    real = waiting(redis)

    ran = events.backfill("daily", NOW - 9 * DAY, NOW)

    dues = [datetime(2026, 11, day, 6, tzinfo=UTC) for day in range(3, 11)]  # the 2nd ran; the 1st was at 06:00
    assert real == [jid_of("daily", to_ms(datetime(2026, 11, 2, 6, tzinfo=UTC)), 0)]
    assert [run.run.at for run in ran] == dues
    assert waiting(redis) == real + [jid_of("daily", to_ms(due), 0) for due in dues]
    payload = list(api.Queue("default", redis=redis))[-1].payload
    assert payload["clock"] == {"event": "daily", "due": to_ms(dues[-1]), "previous": to_ms(dues[-2])}
    latest = events.history("daily", 1)[0]
    assert (latest["decision"], latest["due"], latest["at"]) == ("backfilled", to_ms(dues[-1]), to_ms(NOW))
    assert events.get("daily").next_due == datetime(2026, 11, 11, 6, tzinfo=UTC)


def test_a_backfill_that_is_repeated_runs_nothing_twice(
    redis: Redis, declare: Callable[[str], api.Events]
) -> None:
    events = declare(DAILY)
    stale = events.plan_backfill("daily", NOW - 3 * DAY, NOW)

    first = events.backfill("daily", NOW - 3 * DAY, NOW - DAY)
    second = events.backfill("daily", NOW - 3 * DAY, NOW)
    third = events.backfill("daily", NOW - 3 * DAY, NOW)

    assert (len(stale.to_run), len(first), len(second), len(third)) == (3, 2, 1, 0)
    assert len(waiting(redis)) == 3


def test_two_backfills_at_once_run_each_instant_once(redis: Redis, declare: Callable[[str], api.Events]) -> None:
    """The second one was planned before the first one ran: the script refuses what the first one committed."""
    events = declare(DAILY)
    assert events.timetable
    plan = events.plan_backfill("daily", NOW - 3 * DAY, NOW)
    backfill = Backfill(plan, events.timetable, redis, FakeClock(NOW))

    ran = [list(backfill.run()) for _ in range(2)]

    assert [len(runs) for runs in ran] == [3, 0]
    assert len(waiting(redis)) == 3


UNIQUE = (
    'every().day.at("06:00").named("daily").do(FetchNewsJob.set(unique=True), 1)\n'  # each run has the same key
)


def test_a_backfill_returns_the_jobs_that_were_pushed_and_frees_a_lock_without_a_job(
    redis: Redis, declare: Callable[[str], api.Events]
) -> None:
    events = declare(UNIQUE)
    first = events.backfill("daily", NOW - 3 * DAY, NOW - DAY)
    [(key, _)] = cast("dict[bytes, bytes]", redis.hgetall("clock:unique")).items()
    redis.hset("clock:unique", key, "gone|0|0")

    second = events.backfill("daily", NOW - DAY, NOW)

    assert [len(run.jids) for run in [*first, *second]] == [1, 0, 1]
    assert waiting(redis) == [*first[0].jids, *second[0].jids]


def test_runs_of_a_backfill_that_were_committed_are_returned_before_an_error(
    redis: Redis, declare: Callable[[str], api.Events]
) -> None:
    events = declare('queues = iter(["default", "low"])\n' + TWO_QUEUES)
    assert events.timetable
    redis.set("queue:low", "junk")
    plan = events.plan_backfill("daily", NOW - 2 * DAY, NOW)
    runs = Backfill(plan, events.timetable, redis, FakeClock(NOW)).run()

    assert list(next(runs).jids) == waiting(redis)
    with pytest.raises(StoreError, match="wrong type"):
        next(runs)


def test_instants_that_the_clock_has_not_decided_are_left_to_it(
    redis: Redis, declare: Callable[[str], api.Events]
) -> None:
    events = declare(DAILY)
    ran_at(events, redis, NOW - 2 * DAY, NOW - DAY - timedelta(hours=6))

    plan = events.plan_backfill("daily", NOW - 3 * DAY, NOW + 3 * DAY)

    assert [run.state.name for run in plan.runs] == ["RUNS", "RAN", *["UNDECIDED"] * 4]


def test_a_schedule_that_counts_from_its_first_start_has_no_runs_before_it(
    redis: Redis, declare: Callable[[str], api.Events]
) -> None:
    events = declare("every(7).hours.named('often').do(FetchNewsJob, 1)")
    unknown = events.plan_backfill("often", NOW - DAY, NOW)
    ran_at(events, redis, NOW - timedelta(hours=20), NOW)

    plan = events.plan_backfill("often", NOW - DAY, NOW)

    assert (unknown.runs, "No clock has run this schedule yet" in unknown.note) == ([], True)
    assert [run.at for run in plan.runs] == [NOW - timedelta(hours=20 - 7), NOW - timedelta(hours=20 - 14)]
    assert "2026-11-09T16:00:00+00:00: it has no earlier runs." in plan.note


def test_a_plan_reports_the_runs_before_the_first_deploy_of_the_schedule(
    redis: Redis, declare: Callable[[str], api.Events]
) -> None:
    events = declare(DAILY)
    unknown = events.plan_backfill("daily", NOW - 3 * DAY, NOW)
    ran_at(events, redis, NOW - 2 * DAY)

    before, across, after = (
        events.plan_backfill("daily", NOW - days * DAY, NOW - until * DAY)
        for days, until in ((5, 3), (4, 0), (1, 0))
    )

    assert unknown.note == "No clock has run this schedule yet."
    assert before.note == "2 runs are before the schedule's first deploy at 2026-11-08T12:00:00+00:00."
    assert (len(across.to_run), across.note[:8], after.note) == (2, "2 runs a", "")


@pytest.mark.parametrize("beyond", [False, True])
def test_runs_that_are_older_than_the_history_are_skipped_unless_asked_for(
    redis: Redis, declare: Callable[[str], api.Events], monkeypatch: pytest.MonkeyPatch, beyond: bool
) -> None:
    monkeypatch.setattr("clock.store.ledger.history.HISTORY_LENGTH", 1)
    events = declare(DAILY)
    ran_at(events, redis, NOW - 4 * DAY, NOW - DAY - timedelta(hours=6))
    redis.xtrim("clock:history:daily", maxlen=1, approximate=False)

    plan = events.plan_backfill("daily", NOW - 3 * DAY, NOW - DAY, beyond_history=beyond)

    assert [run.state.name for run in plan.runs] == ["RUNS" if beyond else "TOO_OLD", "RAN"]


def test_the_history_begins_at_the_oldest_decision_of_a_clock_not_at_a_backfill_of_older_runs(
    redis: Redis, declare: Callable[[str], api.Events], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clock.store.ledger.history.HISTORY_LENGTH", 2)
    events = declare(DAILY)
    ran_at(events, redis, NOW - 2 * DAY, NOW - DAY - timedelta(hours=6))
    events.backfill("daily", NOW - 4 * DAY, NOW - 3 * DAY)

    plan = events.plan_backfill("daily", NOW - 4 * DAY, NOW - DAY)

    assert [run.state.name for run in plan.runs] == ["BACKFILLED", "TOO_OLD", "RAN"]


def test_a_refusal_pushes_nothing_and_a_failure_ends_the_backfill(
    redis: Redis, declare: Callable[[str], api.Events]
) -> None:
    conditional = declare('every().day.at("06:00").named("c").if_(lambda t: t.day != 9).do(FetchNewsJob, 1)')
    failing = declare(
        "def fail():\n    FetchNewsJob.perform_async(1)\n    raise OSError('down')\n"
        'every().day.at("06:00").named("f").do(fail)'
    )

    ran = conditional.backfill("c", NOW - 2 * DAY, NOW)
    with pytest.raises(ClockError, match=r"'f', run of 2026-11-09T06:00:00.*: OSError: down"):
        failing.backfill("f", NOW - 2 * DAY, NOW)

    assert [(run.run.at.day, run.refused) for run in ran] == [(9, True), (10, False)]
    assert len(waiting(redis)) == 1


def test_a_large_backfill_is_one_record_of_the_history(redis: Redis, declare: Callable[[str], api.Events]) -> None:
    """Or it would push the records of real runs out."""
    events = declare("cron('*/5 * * * *').named('feed').do(FetchNewsJob, 1)")

    ran = events.backfill("feed", NOW - DAY, NOW)

    [record] = events.history("feed")
    assert (len(ran), record["count"], record["first"]) == (288, 288, to_ms(NOW - DAY))
    assert events.plan_backfill("feed", NOW - DAY, NOW).to_run == []


def test_a_rate_waits_between_runs(redis: Redis, declare: Callable[[str], api.Events]) -> None:
    class Counting(FakeClock):
        def wait(self, stop: threading.Event, seconds: float) -> bool:
            waits.append(seconds)
            return False

    waits: list[float] = []
    with using_clock(Counting(NOW)):
        declare(DAILY).backfill("daily", NOW - 3 * DAY, NOW, per_second=0.5)

    assert waits == [2, 2]


def test_a_period_with_too_many_runs_is_an_error(declare: Callable[[str], api.Events]) -> None:
    events = declare("cron('* * * * *').named('m').do(print)")

    with pytest.raises(ConfigurationError, match=r"more than 10,000 runs .*choose a shorter period"):
        events.plan_backfill("m", NOW - 365 * DAY, NOW)


def test_a_backfill_over_a_dst_transition_has_the_local_times(
    redis: Redis, declare: Callable[[str], api.Events]
) -> None:
    events = declare('every().day.at("02:30", "Europe/Berlin").named("night").do(FetchNewsJob, 1)\n')

    spring = events.plan_backfill("night", datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC))
    autumn = events.plan_backfill("night", datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 10, 27, tzinfo=UTC))

    assert [f"{run.at:%d %H:%M}" for run in spring.to_run] == ["28 01:30", "29 01:00", "30 00:30"]
    assert [f"{run.at:%d %H:%M}" for run in autumn.to_run] == ["24 00:30", "25 00:30", "26 01:30"]


def test_a_paused_event_is_backfilled(redis: Redis, declare: Callable[[str], api.Events]) -> None:
    events = declare(DAILY)
    events.pause("daily")

    assert len(events.backfill("daily", NOW - 2 * DAY, NOW)) == 2
    assert len(waiting(redis)) == 2


JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "before"),
    [
        ('every().minute.at([":59", ":00"])', timedelta(seconds=1)),
        ('cron("* * * * *")', timedelta(minutes=1)),
        ('cron("0 * * * *")', timedelta(hours=1)),
        ('cron("0 0 * * *")', DAY),
        ('cron("0 0 * * 4")', 7 * DAY),
        ('cron("0 0 1 * *")', 31 * DAY),
        ('cron("0 0 1 1 *")', 365 * DAY),
    ],
)
def test_the_first_run_of_a_plan_knows_the_run_before_the_period(
    declare: Callable[[str], api.Events], schedule: str, before: timedelta
) -> None:
    events = declare(f"{schedule}.named('a').do(FetchNewsJob, 1)\n")

    plan = events.plan_backfill("a", JANUARY, JANUARY + timedelta(seconds=1))

    assert [(run.at, run.previous) for run in plan.runs] == [(JANUARY, JANUARY - before)]


def test_the_first_run_of_a_schedule_that_counts_from_its_start_has_no_run_before_it(
    redis: Redis, declare: Callable[[str], api.Events]
) -> None:
    events = declare("every(7).hours.named('often').do(FetchNewsJob, 1)")
    ran_at(events, redis, NOW - timedelta(hours=20))
    first, second = NOW - timedelta(hours=13), NOW - timedelta(hours=6)

    whole = events.plan_backfill("often", NOW - DAY, NOW)
    later = events.plan_backfill("often", second, NOW)

    assert [(run.at, run.previous) for run in whole.runs] == [(first, None), (second, first)]
    assert [(run.at, run.previous) for run in later.runs] == [(second, first)]


def test_a_period_has_the_run_at_its_start_and_not_that_at_its_end(
    redis: Redis, declare: Callable[[str], api.Events]
) -> None:
    events, start = declare(DAILY), datetime(2026, 11, 8, 6, tzinfo=UTC)
    unknown = events.plan_backfill("daily", start, start + DAY)
    ran_at(events, redis, start)

    second = timedelta(seconds=1)
    decided = events.plan_backfill("daily", start - DAY, start)
    across = events.plan_backfill("daily", start - DAY, start + second)
    between = events.plan_backfill("daily", start - DAY + second, start)
    ahead = events.plan_backfill("daily", start + second, start + DAY)

    assert [run.at for run in unknown.runs] == [start]
    assert [run.at for run in decided.runs] == [start - DAY]
    assert [run.at for run in across.runs] == [start - DAY, start]
    assert (between.runs, ahead.runs) == ([], [])
    assert decided.note == across.note
    assert "1 run is before the schedule's first deploy" in decided.note


def test_a_period_between_two_seconds_has_the_runs_inside_it(declare: Callable[[str], api.Events]) -> None:
    events, due = declare(DAILY), datetime(2026, 11, 8, 6, tzinfo=UTC)
    moment = timedelta(microseconds=1)

    before, within, after = (
        events.plan_backfill("daily", due + first, due + last)
        for first, last in ((-moment, timedelta(0)), (-moment, moment), (moment, DAY))
    )

    assert [[run.at for run in plan.runs] for plan in (before, within, after)] == [[], [due], []]


@pytest.mark.parametrize(("minutes", "is_allowed"), [(10_000, True), (10_001, False)])
def test_a_backfill_has_at_most_ten_thousand_runs(
    declare: Callable[[str], api.Events], minutes: int, is_allowed: bool
) -> None:
    events = declare("cron('* * * * *').named('m').do(print)")
    start = NOW - timedelta(minutes=minutes)

    if is_allowed:
        assert len(events.plan_backfill("m", start, NOW).runs) == minutes
    else:
        with pytest.raises(ConfigurationError, match=r"more than 10,000 runs"):
            events.plan_backfill("m", start, NOW)


def test_a_plan_counts_the_runs_that_it_skips_by_their_state(
    redis: Redis, declare: Callable[[str], api.Events]
) -> None:
    events = declare(DAILY)
    ran_at(events, redis, NOW - 3 * DAY, NOW - 2 * DAY - timedelta(hours=6), NOW - DAY)
    events.backfill("daily", NOW - 5 * DAY, NOW - 4 * DAY)

    plan = events.plan_backfill("daily", NOW - 5 * DAY, NOW)

    assert {state.name: number for state, number in plan.skipped.items()} == {
        "RAN": 1,
        "BACKFILLED": 1,
        "UNDECIDED": 1,
    }
    assert len(plan.to_run) == 2


@pytest.mark.parametrize("rate", [0, 0.00009, 1_000.1, "5", float("nan")])
def test_a_rate_outside_its_limits_is_refused(declare: Callable[[str], api.Events], rate: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^per_second is .*; it must be a number, 0.0001 to 1,000$"):
        declare(DAILY).backfill("daily", NOW - DAY, NOW, per_second=cast("float", rate))


@pytest.mark.parametrize("rate", [0.0001, 1_000])
def test_a_rate_at_its_limits_is_accepted(declare: Callable[[str], api.Events], rate: float) -> None:
    assert len(declare(DAILY).backfill("daily", NOW - DAY, NOW, per_second=rate)) == 1


@pytest.mark.parametrize(("runs", "records"), [(200, 200), (201, 1)])
def test_a_backfill_of_more_than_two_hundred_runs_is_one_record(
    declare: Callable[[str], api.Events], runs: int, records: int
) -> None:
    events = declare("cron('* * * * *').named('m').do(FetchNewsJob, 1)")

    ran = events.backfill("m", NOW - timedelta(minutes=runs), NOW)

    assert (len(ran), len(events.history("m", 999))) == (runs, records)


def test_a_run_at_the_first_start_of_a_schedule_has_no_run_before_it(
    redis: Redis, declare: Callable[[str], api.Events]
) -> None:
    """As when the clock runs it."""
    events = declare("from datetime import timedelta\nevery(timedelta(days=1), 'daily')(print)\n")
    deployed = datetime(2026, 11, 8, 6, tzinfo=UTC)
    ran_at(events, redis, deployed)

    plan = events.plan_backfill("daily", deployed, deployed + DAY)

    assert [(run.at, run.previous, plan.note) for run in plan.runs] == [(deployed, None, "")]


def test_a_missed_run_that_is_the_oldest_of_a_full_history_is_known_not_to_have_run(
    redis: Redis, declare: Callable[[str], api.Events], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clock.store.ledger.history.HISTORY_LENGTH", 1)
    events = declare(DAILY)
    ran_at(events, redis, NOW - 2 * DAY, NOW - DAY)

    plan = events.plan_backfill("daily", NOW - 2 * DAY, NOW - DAY)

    assert [run.state.name for run in plan.runs] == ["RUNS"]
