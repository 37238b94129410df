import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from redis import Redis

from clock.errors import ConfigurationError, StoreUnavailable
from clock.inspection.status import Status, status
from clock.store.ledger.ledger import RedisLedger
from clock.store.server.address import masked
from clock.timetable import load
from tests.patience import PATIENCE_SECONDS

Clock = Callable[..., Result]


@pytest.fixture
def clock_file(application: Path) -> Path:
    path = application / "lib" / "clock.py"
    path.parent.mkdir()
    path.write_text(
        "from clock import configure, every\n"
        "configure(tz='Europe/Berlin')\n"
        "every().day.at('06:00').do(print, 'x').named('daily.report')\n"
    )
    return path


def test_status_exits_1_when_unhealthy_and_says_why(clock: Clock) -> None:
    shown = clock("status")

    assert shown.exit_code == 1
    assert "unhealthy\n  ! no clock and no worker is running\n" in shown.output


def test_status_says_which_redis_it_looks_at(clock: Clock, redis_url: str) -> None:
    assert f"\nRedis: {masked(redis_url)}\n" in clock("status").output


def test_status_as_json(clock: Clock, redis_url: str) -> None:
    shown = clock("status", "--json")

    found = json.loads(shown.output)
    assert found["redis"] == masked(redis_url)
    assert (found["healthy"], found["overdue"], found["retries"]) == (False, None, 0)
    assert shown.exit_code == 1


def test_status_refuses_a_clock_file_that_is_named_and_not_there(clock: Clock) -> None:
    with pytest.raises(ConfigurationError, match=r"no clock file nosuch\.py"):
        clock("status", "nosuch.py")


def test_status_shows_an_overdue_event(clock: Clock, redis: Redis, clock_file: Path) -> None:
    event = load(clock_file).events[0]
    RedisLedger(redis).declare([(event.name, event.declaration)], 1_700_000_000_000)

    shown = clock("status")

    assert "! event 'daily.report' is overdue: it was due" in shown.output
    assert json.loads(clock("status", "--json").output)["overdue"][0]["event"] == "daily.report"


def test_status_fits_a_narrow_terminal(clock: Clock, redis: Redis) -> None:
    info = {"hostname": "web1", "queues": ["a" * 50], "concurrency": 5, "started_at": 1.0}
    redis.sadd("processes", "web1:1:a")
    redis.hset("web1:1:a", mapping={"info": json.dumps(info), "busy": 2, "beat": 1.0})

    lines = clock("status", columns=60).output.splitlines()

    assert f"  queues  {'a' * 50}" in lines
    assert max(map(len, lines)) <= 60


def test_a_folder_without_an_application_gets_no_server_by_being_looked_at(
    clock: Clock, application: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL")

    for words in (["status"], ["queue", "list"], ["history"]):
        with pytest.raises(ConfigurationError, match="no clock file, jobs or data in"):
            clock(*words)

    assert list(application.iterdir()) == []


def test_colours_are_for_terminals_only(clock: Clock) -> None:
    assert "\x1b[" not in clock("status").output


@pytest.mark.process
def test_watch_goes_on_until_ctrl_c(clock: Clock, application: Path, redis_url: str) -> None:
    watching = subprocess.Popen(
        [sys.executable, "-u", "-m", "clock", "status", "--watch", "--interval", "0.1", "--redis", redis_url],
        cwd=application,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None

    seen = 0
    for line in watching.stdout:
        seen += "unhealthy" in line
        if seen == 3:
            break
    watching.send_signal(signal.SIGINT)
    rest = watching.stdout.read()
    watching.stdout.close()

    assert watching.wait(PATIENCE_SECONDS) == 0
    assert "Traceback" not in rest


def test_events_are_listed_with_the_next_due_instant_in_their_zone(
    clock: Clock, redis: Redis, clock_file: Path
) -> None:
    redis.xadd(
        "clock:history:daily.report",
        {
            "entry": json.dumps(
                {"decision": "refused", "due": 1_700_000_000_000, "reason": "its condition returned False"}
            )
        },
    )

    shown = clock("list").output

    assert "print('x')" in shown
    assert " 06:00:00 CE" in shown
    assert "2023-11-14 23:13:20 CET refused (its condition returned False)" in shown
    assert json.loads(clock("list", "--json").output)[0]["last"]["decision"] == "refused"
    assert re.search(r"daily\.report  .*  refused [\d,]+ d( \d+ h)? ago", clock("status").output)


def test_a_list_too_wide_for_the_terminal_shows_its_long_values_below_each_event(
    clock: Clock, clock_file: Path
) -> None:
    lines = clock("list", columns=60).output.splitlines()

    assert "schedule" not in lines[0]
    assert lines[1].startswith("daily.report  ")
    assert lines[2].startswith("  schedule  every day at 06:00")
    assert max(map(len, lines)) <= 60


def test_an_empty_clock_file_says_so(clock: Clock, clock_file: Path) -> None:
    clock_file.write_text("")

    assert clock("list").output == "lib/clock.py declares no events.\n"


def test_the_doctor_says_what_to_do_and_exits_1_where_something_is_bad(clock: Clock, redis: Redis) -> None:
    redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        shown = clock("doctor")
        answer = json.loads(clock("doctor", "--json").output)
    finally:
        redis.config_set("maxmemory-policy", "noeviction")

    assert shown.exit_code == 1
    assert "bad     eviction: allkeys-lru" in shown.output
    assert "-> set maxmemory-policy noeviction" in shown.output
    assert {"subject": "eviction", "grade": "bad"}.items() <= answer[1].items()
    assert clock("doctor").exit_code == 0


def test_the_doctor_repairs_after_a_yes(clock: Clock, redis: Redis) -> None:
    redis.hset("clock:in_progress:gone:1:x", "1", "default\n{}")
    RedisLedger(redis).declare([("removed", "every day")], 0)
    RedisLedger(redis).orphan([], 0)

    refused = clock("doctor", "--repair", answer="n\n")
    repaired = clock("doctor", "--repair", "--yes")

    assert refused.exit_code == 1
    assert "Dead workers whose jobs are requeued: 1" in repaired.output
    assert "Removed events deleted: 1" in repaired.output
    assert repaired.exit_code == 0


def test_the_clock_file_is_explained_in_sentences(clock: Clock, clock_file: Path) -> None:
    assert clock("explain").output.startswith("daily.report\n  Every day at 06:00")
    assert json.loads(clock("explain", "--json").output)["daily.report"].startswith("Every day at 06:00")


def test_the_clock_file_is_explained_as_a_page_of_markdown(clock: Clock, clock_file: Path) -> None:
    clock_file.write_text("from clock import every\nevery().hour.do(print, '*a*').named('under_score')\n")

    page = clock("explain", "--markdown").output

    assert page.startswith("# Schedules\n")
    assert "- **under\\_score**: Every hour" in page
    assert "\\*a\\*" in page


def test_a_paused_event_is_shown_as_such(clock: Clock, clock_file: Path) -> None:
    clock("pause", "daily.report", "--note", "holidays")

    assert "paused" in clock("status").output
    assert "holidays" in clock("list").output


def test_an_event_whose_latest_job_with_an_outcome_failed_is_shown_as_such(
    clock: Clock, redis: Redis, clock_file: Path
) -> None:
    record = {"decision": "fired", "due": 1_700_000_000_000, "jids": ["new"]}
    redis.xadd("clock:history:daily.report", {"entry": json.dumps(record)})
    failed = {"jid": "old", "outcome": "retry", "at": 1_700_000_000_000, "took_ms": 3}
    redis.xadd("clock:outcomes:daily.report", {"entry": json.dumps(failed)})

    assert "job failed, fired" in clock("status").output
    assert "fired, job failed" in clock("list").output


def test_watch_goes_on_when_redis_fails_and_never_clears_the_screen_for_json(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[None] = []

    def fails_first(*args: Any) -> Status:
        looks.append(None)
        if len(looks) == 1:
            raise StoreUnavailable("Redis is away")
        os.kill(os.getpid(), signal.SIGINT)
        return status(*args)

    monkeypatch.setattr("clock.cli.commands.monitoring.status.look", fails_first)

    shown = clock("status", "--watch", "--interval", "0.1", "--json")

    assert shown.output.startswith("Redis is away\n{")
    assert shown.exit_code == 0


def test_status_shows_the_progress_of_running_jobs(clock: Clock, redis: Redis) -> None:
    job = {"jid": "a1b2", "class": "ImportRowsJob", "args": []}
    work = {"payload": json.dumps(job), "run_at": 1, "progress": {"done": 50, "total": 200, "seconds": 25}}
    redis.sadd("processes", "web1:1:a")
    info = {"hostname": "web1", "queues": ["default"], "concurrency": 5, "started_at": 1.0}
    redis.hset("web1:1:a", mapping={"info": json.dumps(info), "busy": 1, "beat": time.time()})
    redis.hset("web1:1:a:work", "t1", json.dumps(work))

    shown = clock("status").output

    assert "ImportRowsJob  a1b2  50 of 200 (25 %), 2 a second, 75 s left" in shown
    [progress] = json.loads(clock("status", "--json").output)["progress"]
    assert (progress["done"], progress["seconds_left"]) == (50, 75)


def test_status_shows_ten_events_and_the_number_of_the_others(clock: Clock, clock_file: Path) -> None:
    lines = [f"every().day.do(print).named('event{number}')" for number in range(12)]
    clock_file.write_text("\n".join(["from clock import every", *lines]))

    shown = clock("status").output

    assert sum("  in " in line for line in shown.splitlines()) == 10
    assert "... and 2 more: clock list" in shown


def test_an_event_that_never_runs_again_is_shown_as_such(clock: Clock, clock_file: Path) -> None:
    clock_file.write_text(
        "from clock import rrule\nrrule('FREQ=DAILY;UNTIL=20200101T000000Z', 'UTC').do(print).named('over')\n"
    )

    assert re.search(r"over +never", clock("status").output)
    assert "never" in clock("list").output
