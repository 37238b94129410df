"""`pause`, `resume`, `history` and `why`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from click.testing import Result
from redis import Redis

from clock.clocks import to_ms
from clock.errors import ClockError, StoreError
from clock.inspection.events.why import record_lines
from clock.store.jobs.flow import unique_locks
from clock.store.ledger import pauses
from clock.store.ledger.decision import Decision, DecisionKind
from clock.store.ledger.held_pushes import Push
from clock.store.ledger.history import add_outcome
from clock.store.ledger.ledger import RedisLedger
from clock.store.ledger.pauses import ALL
from clock.timetable import load

Command = Callable[..., Result]

FILE = """
from clock import configure, every
configure(tz="America/New_York")
every().day.at("01:30").do(print).named("nightly")
"""
ANCHOR = 1_767_225_600_000  # 2026-01-01 00:00 UTC
FIRST_NOVEMBER = 1_793_511_000_000  # 2026-11-01 01:30 in New York, the first of the two


@pytest.fixture(autouse=True)
def ledger(application: Path, redis: Redis) -> RedisLedger:
    """The ledger of a clock that has fired once, on the night on which clocks are put back."""
    (application / "lib").mkdir()
    (application / "lib" / "clock.py").write_text(FILE)
    ledger = RedisLedger(redis)
    event = load("lib/clock.py").event("nightly")
    [entry] = ledger.declare([("nightly", event.declaration)], ANCHOR)
    detail = {"late_ms": 3, "host": "web1", "release": "v42", "jobs": 1, "jids": ["a1b2"]}
    decision = Decision(
        "nightly",
        event.declaration,
        entry.decided_ms,
        FIRST_NOVEMBER,
        DecisionKind.FIRED,
        detail,
        [Push("{}", "low")],
    )
    ledger.commit([decision])
    return ledger


def test_why_tells_what_became_of_a_due_instant(clock: Command) -> None:
    result = clock("why", "nightly", "2026-11-01 01:30")

    assert result.exit_code == 0
    assert "2026-11-01 01:30: occurs twice; the clocks were set back" in result.output
    assert "2026-11-01 01:30:00 EDT: ran; 3 ms late; 1 job: a1b2; on web1 (release v42)" in result.output
    assert "2026-11-01 01:30:00 EST: not scheduled then" in result.output


def test_why_tells_that_an_event_is_not_due_then_and_when_it_is(clock: Command) -> None:
    result = clock("why", "nightly", "2026-11-02 07:00")

    assert "2026-11-02 07:00:00 EST: not scheduled then: " in result.output
    assert "the next run after that is at 2026-11-03 01:30:00 EST" in result.output


def test_why_tells_that_clocks_are_put_forward(clock: Command) -> None:
    assert (
        "2027-03-14 02:30: does not exist; the clocks were set forward"
        in clock("why", "nightly", "2027-03-14 02:30").output
    )


def test_why_tells_when_the_declaration_was_first_seen(clock: Command) -> None:
    assert (
        "did not run: this schedule was first deployed at 2025-12-31 19:00:00 EST"
        in clock("why", "nightly", "2025-12-01").output
    )


def test_why_of_a_time_before_the_first_deploy_does_not_blame_it_if_the_rule_has_no_run_then(
    clock: Command, application: Path, ledger: RedisLedger
) -> None:
    hours = 'cron("0 9 * * mon-fri", "America/New_York").do(print).named("office")\n'
    (application / "lib" / "clock.py").write_text(f"from clock import cron\n{FILE}{hours}")
    ledger.declare([("office", load("lib/clock.py").event("office").declaration)], ANCHOR)

    minute_late = clock("why", "nightly", "2025-12-30 01:31").output.splitlines()
    sunday = clock("why", "office", "2025-12-28").output.splitlines()
    holiday_evening = clock("why", "office", "2025-12-31 18:00").output.splitlines()

    assert [line.split(": ")[1] for line in (*minute_late, *sunday, *holiday_evening)] == [
        "not scheduled then"
    ] * 3
    assert minute_late[0].endswith("the next run after that is at 2026-01-01 01:30:00 EST")


@pytest.mark.parametrize("when", ["2025-12-30 01:31", "2025-12-31", "0002-01-01"])
def test_why_names_the_deploy_for_a_schedule_that_counts_from_it(
    clock: Command, application: Path, ledger: RedisLedger, when: str
) -> None:
    (application / "lib" / "clock.py").write_text(f"{FILE}every(11).hours.do(print).named('counted')\n")
    ledger.declare([("counted", load("lib/clock.py").event("counted").declaration)], ANCHOR)

    [line] = clock("why", "counted", when).output.splitlines()

    assert "did not run: this schedule was first deployed at 2025-12-31 19:00:00 EST" in line


def test_why_tells_of_a_day_on_which_the_declaration_was_first_seen_after_the_hour(clock: Command) -> None:
    assert (
        "2025-12-31 00:00:00 EST: did not run: this schedule was first deployed at"
        in clock("why", "nightly", "2025-12-31").output
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("soon", "is not a time; write '2026-11-01 01:30'"),
        ("0001-01-01", "is outside the years 2 to 9998"),
        ("9999-12-31 23:59", "is outside the years 2 to 9998"),
    ],
)
def test_why_refuses_what_is_no_time(clock: Command, text: str, problem: str) -> None:
    with pytest.raises(ClockError, match=f"'{text}' {problem}"):
        clock("why", "nightly", text)


def test_history_tells_the_records_oldest_first_and_as_json(clock: Command, ledger: RedisLedger) -> None:
    text, data = clock("history", "nightly"), clock("history", "nightly", "--json")

    assert text.output.startswith("2026-11-01 01:30:00 EDT: ran")
    [record] = json.loads(data.output)
    assert (record["decision"], record["due"], record["jids"]) == ("fired", FIRST_NOVEMBER, ["a1b2"])


def test_history_without_a_name_tells_the_latest_of_all_events(
    clock: Command, ledger: RedisLedger, application: Path
) -> None:
    other = 'every().day.at("03:00", "Europe/Berlin").do(print).named("other")\n'
    (application / "lib" / "clock.py").write_text(FILE + other)
    event = load("lib/clock.py").event("other")
    [entry] = ledger.declare([("other", event.declaration)], ANCHOR)
    at = entry.decided_ms
    for due in (FIRST_NOVEMBER - 3_600_000, FIRST_NOVEMBER + 3_600_000):
        ledger.commit([Decision("other", event.declaration, at, due, DecisionKind.REFUSED, {"host": "web1"}, [])])
        at = due

    lines = clock("history").output.splitlines()

    assert [line.partition(";")[0] for line in lines] == [
        "other: 2026-11-01 05:30:00 CET: did not run: refused",
        "nightly: 2026-11-01 01:30:00 EDT: ran",
        "other: 2026-11-01 07:30:00 CET: did not run: refused",
    ]
    assert [record["event"] for record in json.loads(clock("history", "-n", "2", "--json").output)] == [
        "nightly",
        "other",
    ]


def test_days_may_be_named(clock: Command, redis: Redis) -> None:
    assert " 07:00:00 E" in clock("why", "nightly", "yesterday 07:00").output
    assert " 00:00:00 E" in clock("pause", "nightly", "--until", "tomorrow").output


def test_history_of_an_unknown_event_names_the_near_one(clock: Command) -> None:
    with pytest.raises(ClockError, match="did you mean 'nightly'"):
        clock("history", "nightli")


def test_an_event_is_paused_with_who_why_and_until_when_and_resumed(clock: Command, redis: Redis) -> None:
    paused = clock("pause", "nightly", "--until", "2h", "--by", "Ada", "--note", "mail moves")

    made = pauses.read(redis)["nightly"]
    assert paused.output.startswith("Paused 'nightly' from ")
    assert (made.by, made.note) == ("Ada", "mail moves")
    assert made.until is not None
    assert made.until - made.start == timedelta(hours=2)
    assert clock("resume", "nightly").output == "Resumed 'nightly'\n"
    assert clock("resume", "nightly").output == "'nightly' was not paused\n"
    assert not pauses.read(redis)["nightly"].covers(made.until - timedelta(milliseconds=1))


def test_a_name_and_all_at_once_are_refused(clock: Command, redis: Redis) -> None:
    clock("pause", "nightly")

    refused = clock("resume", "nightly", "--all")

    assert refused.exit_code == 2
    assert "give an event name or --all" in refused.stderr


def test_the_whole_clock_is_paused_until_an_instant(clock: Command, redis: Redis) -> None:
    result = clock("pause", "--all", "--until", "2099-01-01 08:00")

    assert "the whole clock" in result.output
    assert "until 2099-01-01 08:00:00 EST" in result.output
    assert pauses.read(redis)[ALL].until is not None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nightly", "--until", "soon"], "--until is 'soon'; use 2026-12-24"),
        (["nightly", "--until", "yesterday"], "--until 'yesterday' is in the past"),
        (["nightly", "--until", "2020-01-01"], "--until '2020-01-01' is in the past"),
        (["nightly", "--until", "0001-01-01T00:00+14:00"], "is outside the years 1 to 9999"),
        (["nope"], "no event is named 'nope'"),
    ],
)
def test_a_pause_that_cannot_be_is_refused(clock: Command, words: list[str], told: str) -> None:
    with pytest.raises(ClockError, match=told):
        clock("pause", *words)


def test_a_pause_is_of_an_event_or_of_all(clock: Command) -> None:
    assert clock("pause").exit_code == 2
    assert clock("pause", "nightly", "--all").exit_code == 2


UNIQUE = """
from clock import Job
class PolishHistoryJob(Job):
    unique = True
    def perform(self): ...
every().day.at("01:30").do(PolishHistoryJob).named("polish")
def both():
    PolishHistoryJob.set(unique=False).perform_async()
    PolishHistoryJob.perform_async()
every().day.at("01:30").do(both).named("both")
"""
ROWS = """
from clock import Job, sync_events
from datetime import timedelta
class NoteHistoryRowJob(Job):
    def perform(self, report): ...
def load():
    rows = [{"id": 7, "name": "weekly", "cron": "0 6 * * mon", "tz": "Europe/Berlin"}]
    return [] if GONE else rows
GONE = False
sync_events(load, every=timedelta(minutes=1), do=NoteHistoryRowJob)
"""


@pytest.fixture
def rows(application: Path) -> Path:
    """A clock file with a source of events."""
    file = application / "lib" / "clock.py"
    file.write_text(FILE + ROWS)
    return file


def test_a_row_is_fired_by_hand_and_why_and_history_tell_of_it(clock: Command, rows: Path, redis: Redis) -> None:
    fired = clock("fire", "weekly")

    assert fired.output.startswith("Fired 'weekly': 1 job pushed")
    assert redis.llen("queue:default") == 1
    assert "fired manually" in clock("history", "weekly").output
    assert "no clock has run 'weekly' with its current schedule yet" in clock("why", "weekly", "2026-11-02").output


@pytest.mark.usefixtures("rows")
def test_list_and_status_name_the_number_of_events_in_the_database(clock: Command, ledger: RedisLedger) -> None:
    line = "The database has 1 further event: the dashboard lists them (clock web).\n"
    assert line not in clock("list").output
    ledger.declare([("weekly", "any")], ANCHOR)

    assert line in clock("list").output
    assert line in clock("status").output


def test_a_job_that_a_lock_kept_out_is_reported_as_not_pushed(
    clock: Command, application: Path, redis: Redis
) -> None:
    (application / "lib" / "clock.py").write_text(FILE + UNIQUE)
    first = clock("fire", "polish").output
    second = clock("fire", "polish").output
    holder = first.split()[-1]

    assert redis.llen("queue:default") == 1
    assert first == f"Fired 'polish': 1 job pushed\n  {holder}\n"
    heading, kept_out = second.splitlines()
    assert heading == "Fired 'polish': 0 jobs pushed"
    assert kept_out.endswith(f" was not pushed, as {holder} holds its lock")
    latest = clock("history", "polish").output.splitlines()[-1]
    assert f"fired manually; {kept_out.split()[0]} was not pushed then, as {holder} held its lock; on " in latest


def test_a_firing_by_hand_reports_its_jobs_although_the_key_of_its_history_has_the_wrong_type(
    clock: Command, application: Path, redis: Redis
) -> None:
    (application / "lib" / "clock.py").write_text(FILE + UNIQUE)
    redis.set("clock:history:both", "junk")

    first, second = (clock("fire", "both").output.splitlines() for _ in range(2))

    assert "Fired 'both': 2 jobs pushed" in first
    assert "Fired 'both': 1 job pushed" in second
    assert second[-1].endswith(f" was not pushed, as {first[-1].strip()} holds its lock")
    assert redis.llen("queue:default") == 3


def test_a_firing_by_hand_frees_a_lock_without_a_job(clock: Command, application: Path, redis: Redis) -> None:
    (application / "lib" / "clock.py").write_text(FILE + UNIQUE)
    clock("fire", "polish")
    [(key, _)] = cast("dict[bytes, bytes]", redis.hgetall("clock:unique")).items()
    redis.hset("clock:unique", key, "gone|0|0")

    fired = clock("fire", "polish").output

    assert "Fired 'polish': 1 job pushed" in fired
    assert redis.llen("queue:default") == 2
    latest = clock("history", "polish").output.splitlines()[-1]
    assert f"{fired.split()[-1]} was not pushed then, as gone held its lock" in latest


def test_a_firing_by_hand_reports_its_jobs_although_redis_fails_after_the_commit(
    clock: Command, application: Path, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    (application / "lib" / "clock.py").write_text(FILE + UNIQUE)
    holder = clock("fire", "polish").output.split()[-1]

    def fails(*_: object, **__: object) -> None:
        raise StoreError("Redis went away")

    monkeypatch.setattr(unique_locks, "held", fails)
    lines = clock("fire", "polish").output.splitlines()

    assert "Fired 'polish': 0 jobs pushed" in lines
    assert lines[-1].endswith(f"was not pushed, as {holder} holds its lock")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"jobs": 200, "jids": ["d", "a"], "kept_out": {"a": "x"}}, "199 jobs: d"),
        ({"jobs": 1, "jids": ["a"], "kept_out": {"a": "x"}}, "a was not pushed then, as x held its lock"),
        (
            {
                "jobs": 1,
                "jids": ["a"],
                "kept_out": {"a": "x"},
                "outcomes": {"a": {"outcome": "done", "at": 0, "took_ms": 1}},
            },
            "1 job: a; on",
        ),
    ],
)
def test_the_words_about_kept_out_jobs_agree_with_the_record(record: dict[str, object], words: str) -> None:
    first, *_ = record_lines({"decision": "fired", "due": 0, **record}, UTC)

    assert f"ran; {words}" in first


def test_a_failed_attempt_has_its_own_time_and_that_of_the_retry() -> None:
    at = to_ms(datetime(2026, 11, 29, 20, 1, 6, tzinfo=UTC))
    failed = {"at": at, "took_ms": 0, "error": "ConnectionError: refused"}
    outcomes = {
        "a": {"outcome": "retry", "retry_at": at + 18_000, **failed},
        "b": {"outcome": "retry", **failed},
        "c": {"outcome": "dead", **failed},
        "d": {"outcome": "done", "at": at, "took_ms": 40},
    }

    _, *lines = record_lines({"due": at, "decision": "fired", "jids": list("abcd"), "outcomes": outcomes}, UTC)

    failure = "failed at 2026-11-29 20:01:06 UTC (ran 0 ms)"
    assert lines == [
        f"  job a: {failure}, retry due at 2026-11-29 20:01:24 UTC: ConnectionError: refused",
        f"  job b: {failure}, will be retried: ConnectionError: refused",
        f"  job c: {failure}, for good: ConnectionError: refused",
        "  job d: done at 2026-11-29 20:01:06 UTC (ran 40 ms)",
    ]


def test_missed_runs_name_the_cause_and_from_how_late_to_how_late_they_were() -> None:
    record = {"decision": "missed", "first": 0, "due": 115_000, "count": 24, "late_ms": 6_000, "reason": "older"}

    [run] = record_lines(record, UTC)
    [single] = record_lines({**record, "first": 115_000, "count": 1}, UTC)
    [refused] = record_lines({**record, "decision": "refused"}, UTC)

    cause = "did not run: missed; no clock ran or reached Redis in time; older"
    assert f"(24 runs): {cause}; 6 s to 2 min 1 s late; on" in run
    assert f"{cause}; 6 s late; on" in single
    assert "late" not in refused  # each of them was decided at its own time


def test_a_record_with_wrong_counts_shows_the_number_of_its_jids() -> None:
    record = {"due": 0, "decision": "fired", "jids": ["d"], "kept_out": {"a": "b"}}

    [line] = record_lines(record, UTC)

    assert "1 job: d; a was not pushed then, as b held its lock" in line


def test_a_declaration_in_a_function_that_is_fired_by_hand_is_an_error(
    clock: Command, application: Path, redis: Redis
) -> None:
    lines = "import schedule\ndef declares():\n    schedule.every().hour.do(print)\n"
    (application / "lib" / "clock.py").write_text(f"{lines}schedule.every().day.do(declares).named('declares')\n")

    with pytest.raises(ClockError, match=r"clock\.py:3: events cannot be declared while the clock runs"):
        clock("fire", "declares")


def test_why_tells_of_a_row_by_its_own_zone(clock: Command, rows: Path, ledger: RedisLedger) -> None:
    ledger.declare([("weekly", "cron 0 6 * * mon in Europe/Berlin")], ANCHOR)

    assert "2026-11-02 05:00:00 CET: " in clock("why", "weekly", "2026-11-02 05:00").output


@pytest.mark.parametrize(
    ("edit", "told"),
    [("GONE = True", "no event is named 'weekly'"), ("load = lambda: 1 / 0", "ZeroDivisionError")],
)
def test_why_of_a_row_that_is_gone_or_cannot_be_read_tells_what_is_recorded(
    clock: Command, rows: Path, ledger: RedisLedger, edit: str, told: str
) -> None:
    [entry] = ledger.declare([("weekly", "every week")], ANCHOR)
    decision = Decision(
        "weekly",
        "every week",
        entry.decided_ms,
        FIRST_NOVEMBER,
        DecisionKind.FIRED,
        {"host": "web1", "release": "v42"},
    )
    ledger.commit([decision])
    rows.write_text(FILE + ROWS.replace("GONE = False", edit))

    at, before = clock("why", "weekly", "2026-11-01").output, clock("why", "weekly", "2026-10-01").output

    assert told in at
    assert "2026-11-01 05:30:00 UTC: ran; on web1 (release v42)" in at
    assert "no records of 'weekly'" in before


@pytest.mark.parametrize("words", [["fire", "weakly"], ["pause", "weakly"], ["why", "weakly", "2026-11-01"]])
def test_a_name_that_neither_file_nor_rows_have_is_refused_and_the_near_one_named(
    clock: Command, rows: Path, words: list[str]
) -> None:
    with pytest.raises(ClockError, match="did you mean 'weekly'"):
        clock(*words)


def test_why_of_a_busy_day_asks_redis_and_prints_no_more_than_of_a_quiet_one(
    clock: Command, application: Path, redis: Redis, ledger: RedisLedger
) -> None:
    (application / "lib" / "clock.py").write_text(f"{FILE}every(10).seconds.do(print).named('busy')\n")
    declaration = load("lib/clock.py").event("busy").declaration
    [entry] = ledger.declare([("busy", declaration)], ANCHOR)
    after = entry.decided_ms
    for due in range(ANCHOR + 10_000, ANCHOR + 2_000_000, 10_000):
        ledger.commit(
            [Decision("busy", declaration, after, due, DecisionKind.FIRED, {"host": "web1", "release": "v1"})]
        )
        after = due

    def answer(day: str) -> tuple[list[str], int]:
        before = redis.info("stats")["total_commands_processed"]
        lines = clock("why", "busy", day).output.splitlines()
        return lines, redis.info("stats")["total_commands_processed"] - before

    past, asked_of_past = answer("2025-12-31")
    coming, asked_of_coming = answer("2099-01-01")

    assert coming == ["2099-01-01 00:00:00 EST to 2099-01-01 23:59:50 EST (8640 runs): will be due"]
    assert len(past) <= 50
    assert "... 159 more; `clock history busy -n 1000` shows them" in past
    assert max(asked_of_past, asked_of_coming) < 80  # one of them for the type of each of our keys


def test_fire_prints_that_a_condition_is_not_checked(application: Path, clock: Command) -> None:
    (application / "lib" / "clock.py").write_text(
        "from clock import configure, every\n"
        "configure(tz='UTC')\n"
        "every().day.at('06:00').if_(lambda now: False).do(print).named('never')\n"
        "every().day.at('06:00').do(print).named('always')\n"
    )

    assert "Its condition was not checked." in clock("fire", "never").output
    assert "condition" not in clock("fire", "always").output


def test_pause_names_note_for_reason(clock: Command) -> None:
    result = clock("pause", "nightly", "--reason", "moved")

    assert result.exit_code == 2
    assert "No such option: --reason. The reason is --note." in result.output
    assert "--reason" not in clock("pause", "--help").output


def test_history_of_an_event_that_has_not_run_and_of_an_empty_redis(clock: Command, redis: Redis) -> None:
    redis.flushall()

    assert clock("history", "nightly").output == "'nightly' hasn't run yet\n"
    assert clock("history").output == "No event has run yet.\n"


def test_the_history_of_all_events_has_a_run_by_hand_before_a_clock_has_run(redis: Redis, clock: Command) -> None:
    redis.flushdb()
    assert clock("fire", "nightly").exit_code == 0

    assert "nightly: " in clock("history").output
    assert "fired manually" in clock("history").output
    assert [record["event"] for record in json.loads(clock("history", "--json").output)] == ["nightly"]


def test_history_of_all_events_names_what_became_of_the_jobs(clock: Command, redis: Redis) -> None:
    add_outcome(redis, "nightly", "a1b2", {"outcome": "done", "at": FIRST_NOVEMBER, "took_ms": 7}, ended=True)

    run, job = clock("history").output.splitlines()

    assert run.startswith("nightly: 2026-11-01 01:30:00 EDT: ran")
    assert job == "  job a1b2: done at 2026-11-01 01:30:00 EDT (ran 7 ms)"


def test_history_is_shown_in_utc_if_the_clock_file_cannot_be_read_or_has_lost_the_event(
    clock: Command, application: Path
) -> None:
    file = application / "lib" / "clock.py"
    file.write_text("1 / 0")
    broken = clock("history").output
    with pytest.raises(ClockError, match="ZeroDivisionError"):
        clock("history", "--file", "lib/clock.py")
    file.write_text("")
    lost = clock("history", "nightly").output

    assert broken.startswith("nightly: 2026-11-01 05:30:00 UTC: ran")
    assert lost.startswith("2026-11-01 05:30:00 UTC: ran")


def test_why_accepts_an_instant_with_an_offset(clock: Command) -> None:
    assert "2026-11-01 01:30:00 EDT: ran" in clock("why", "nightly", "2026-11-01T06:30:00+01:00").output


def test_why_reports_that_the_history_no_longer_has_a_record(clock: Command, redis: Redis) -> None:
    redis.delete("clock:history:nightly")

    lines = clock("why", "nightly", "2026-10-30").output

    assert "was due, but the history no longer has its record" in lines


def test_why_of_an_event_that_asks_its_condition_again_names_only_its_next_due_instant(
    clock: Command, application: Path, ledger: RedisLedger
) -> None:
    again = "every(timedelta(days=1), 'asks', at='01:30', if_=lambda due: False)(print)\n"
    (application / "lib" / "clock.py").write_text(f"from datetime import timedelta\n{FILE}{again}")
    ledger.declare([("asks", load("lib/clock.py").event("asks").declaration)], FIRST_NOVEMBER + 21_600_000)

    due = clock("why", "asks", "2026-11-02").output
    later = clock("why", "asks", "2026-11-03").output

    assert "2026-11-02 01:30:00 EST: " in due
    assert "not scheduled then" not in due
    assert "not scheduled then" in later
