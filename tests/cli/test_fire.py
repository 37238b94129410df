import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from redis import Redis

from clock.clocks import to_ms
from clock.errors import ClockError, ConfigurationError, UnknownEvent
from clock.inspection.audit import changes
from clock.store.ledger.ledger import RedisLedger
from clock.timetable import load

Command = Callable[..., Result]
FILE = """
from clock import configure, every
from tests.ticker.jobs import FetchNewsJob
configure(tz="Europe/Berlin")
every().day.at("06:00").named("nightly").do(FetchNewsJob, "a")
"""
PERIOD = ("--from", "2026-03-28", "--to", "2026-03-31")


@pytest.fixture(autouse=True)
def clock_file(application: Path) -> None:
    (application / "lib").mkdir()
    (application / "lib" / "clock.py").write_text(FILE)


def test_a_dry_run_shows_each_run_in_the_events_zone_and_changes_nothing(clock: Command, redis: Redis) -> None:
    shown = clock("backfill", "nightly", *PERIOD, "--dry-run").output

    assert "nightly: 2026-03-28 00:00:00 CET to 2026-03-31 00:00:00 CEST, zone Europe/Berlin" in shown
    assert "2026-03-29 06:00:00 CEST  would run" in shown
    assert "3 runs would be made. Nothing was changed." in shown
    assert redis.keys("queue*") == []


@pytest.mark.parametrize("rate", ["abc", "nan", "inf"])
def test_a_rate_that_is_no_number_is_refused_in_plain_words(clock: Command, rate: str) -> None:
    refused = clock("backfill", "nightly", *PERIOD, "--rate", rate)

    assert refused.exit_code == 2
    assert f"'{rate}' is not a valid number." in refused.output


@pytest.mark.parametrize("rate", ["1e-300", "0", "1e9"])
def test_a_rate_that_would_wait_for_ever_or_never_is_refused(clock: Command, rate: str) -> None:
    refused = clock("backfill", "nightly", *PERIOD, "--rate", rate)

    assert (refused.exit_code, "is not in the range" in refused.output) == (2, True)


def test_a_backfill_is_made_once_and_is_in_the_audit_log(clock: Command, redis: Redis) -> None:
    first = clock("backfill", "nightly", *PERIOD).output
    second = json.loads(clock("backfill", "nightly", *PERIOD, "--json").output)

    assert "Backfilled 3 runs: 3 jobs pushed." in first
    assert [(run["plan"], run["made"]) for run in second["runs"]] == [("backfilled", False)] * 3
    assert redis.llen("queue:default") == 3
    [entry] = changes(redis, 10)
    assert (entry.change.what, entry.change.count) == ("backfill", 3)
    assert "ran later: backfilled; 1 job" in clock("history", "nightly").output


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        (("nightli", *PERIOD), UnknownEvent, "did you mean 'nightly'"),
        (("nightly", "--from", "2026-03-28", "--to", "2026-03-27"), ConfigurationError, "is not after --from"),
        (("nightly", "--from", "yesteryear"), ConfigurationError, "--from is 'yesteryear'; use 2026-12-24"),
    ],
)
def test_a_wrong_event_or_period_is_named(
    clock: Command, words: tuple[str, ...], error: type[ClockError], text: str
) -> None:
    with pytest.raises(error, match=text):
        clock("backfill", *words)


def test_a_period_in_which_nothing_was_due_has_no_runs_and_notes_the_limit_of_the_history(
    clock: Command,
) -> None:
    shown = clock("backfill", "nightly", "--from", "2026-03-28 07:00", "--to", "2026-03-28 08:00", "--dry-run")

    assert "0 runs would be made. Nothing was changed." in shown.output
    assert "due" not in shown.output


def test_a_plan_that_begins_after_the_first_deploy_has_no_note(clock: Command, redis: Redis) -> None:
    deployed = datetime(2026, 3, 1, tzinfo=UTC)
    declaration = load("lib/clock.py").event("nightly").declaration
    RedisLedger(redis).declare([("nightly", declaration)], to_ms(deployed))

    shown = clock("backfill", "nightly", *PERIOD, "--dry-run").output

    assert "Note:" not in shown
