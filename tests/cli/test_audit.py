"""Changes made with the command line are in the audit log."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from redis import Redis

from clock.errors import JobError, StoreError
from clock.inspection.audit import changes
from clock.store import keys
from clock.store.ledger import pauses

Clock = Callable[..., Result]
CLOCK_FILE = "from clock import every\nevery().day.at('06:00').do(print).named('nightly')\n"


@pytest.mark.parametrize(
    ("command", "what", "target", "count"),
    [
        ("pause nightly --note moved", "pause", "nightly", 1),
        ("pause --all", "pause_all", "all events", 1),
        ("fire nightly", "fire", "nightly: ", 0),
        ("queue pause mail", "pause_queue", "mail", 1),
        ("queue clear mail --yes", "clear_queue", "mail", 2),
        ("queue delete mail --class A --yes", "delete_jobs", "queue mail: class: A", 1),
        ("dead retry --all --yes", "retry_jobs", "dead: all", 2),
        ("dead delete --class A --yes", "delete_jobs", "dead: class: A", 1),
        ("dead clear --yes", "delete_jobs", "dead: all", 2),
        ("dead reschedule --class A --at 2h --yes", "reschedule_jobs", "dead: class: A", 1),
        ("retry kill --class A --yes", "bury_jobs", "retry: class: A", 1),
        ("cancel AAAAAAAAAAAA", "cancel_job", "AAAAAAAAAAAA", 1),
        ("limits set crm 10", "set_limit", "crm: 10", 1),
        ("limits reset crm", "set_limit", "crm: as in the code", 1),
        ("unique free PolishJob:3f --yes", "free_lock", "PolishJob:3f", 1),
    ],
)
def test_a_change_is_recorded_with_who_what_and_how_many(
    redis: Redis, clock: Clock, application: Path, command: str, what: str, target: str, count: int
) -> None:
    jobs = [json.dumps({"class": name, "jid": name * 12, "args": [], "queue": "mail"}) for name in "AB"]
    redis.sadd("queues", "mail")
    redis.lpush("queue:mail", *jobs)
    for place in ("dead", "retry"):
        redis.zadd(place, dict.fromkeys(jobs, 1e9))
    redis.hset("clock:unique", "PolishJob:3f", "gone|0|0")
    (application / "lib").mkdir()
    (application / "lib/clock.py").write_text(CLOCK_FILE)

    found = clock(*command.split())

    assert found.exit_code == 0, found.output
    [entry] = changes(redis, 10)
    change = entry.change
    assert (change.who, change.what, change.target, change.count) == (getpass.getuser(), what, target, count)
    assert change.source.startswith("command line on ")


def test_a_repair_is_recorded_with_the_number_of_things_that_it_repaired(redis: Redis, clock: Clock) -> None:
    redis.hset(keys.LEDGER_ORPHANED, "removed", 1)

    clock("doctor", "--repair", "--yes")
    clock("doctor", "--repair", "--yes")

    assert [(entry.change.what, entry.change.count) for entry in changes(redis, 10)] == [("repair", 1)]


def test_repairs_that_were_made_before_an_error_are_recorded(redis: Redis, clock: Clock) -> None:
    redis.hset(keys.LEDGER_ORPHANED, "removed", 1)
    redis.set("schedule", "text")

    with pytest.raises(StoreError, match="wrong type"):
        clock("doctor", "--repair", "--deep", "--yes")

    assert [(entry.change.what, entry.change.count) for entry in changes(redis, 10)] == [("repair", 1)]


def test_jobs_that_were_cancelled_before_an_error_are_recorded(redis: Redis, clock: Clock) -> None:
    redis.sadd("queues", "mail")
    redis.lpush("queue:mail", json.dumps({"class": "A", "jid": "a" * 12, "args": [], "queue": "mail"}))

    with pytest.raises(JobError, match="not valid UTF-8"):
        clock("cancel", "a" * 12, "\udcff")

    assert [(entry.change.what, entry.change.target) for entry in changes(redis, 10)] == [("cancel_job", "a" * 12)]


def test_a_command_that_changes_nothing_is_not_recorded(redis: Redis, clock: Clock) -> None:
    for command in ("queue unpause mail", "dead list", "status"):
        clock(*command.split())

    assert changes(redis, 10) == []


def test_a_change_is_made_although_the_audit_log_cannot_be_written(redis: Redis, clock: Clock) -> None:
    redis.set("clock:audit", "text")

    found = clock("queue", "pause", "mail")

    assert found.exit_code == 0
    assert "the audit log has no entry of this change" in found.stderr
    assert redis.smembers("paused") == {b"mail"}


def test_a_user_without_a_name_in_the_system_is_recorded_as_unknown(
    redis: Redis, clock: Clock, application: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unnamed() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", unnamed)

    (application / "lib").mkdir()
    (application / "lib/clock.py").write_text(CLOCK_FILE)

    clock("queue", "pause", "mail")
    clock("pause", "nightly")

    assert [entry.change.who for entry in changes(redis, 10)] == ["unknown", "unknown"]
    assert pauses.read(redis)["nightly"].by == "unknown"
