import socket
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clock import testing
from clock.errors import ConfigurationError
from clock.store.ledger.pauses import Pause
from clock.timetable import load
from tests.testing.jobs import CountVisitsJob

START = datetime(2015, 11, 2, 2)


@pytest.fixture
def clock_file(tmp_path: Path) -> Path:
    path = tmp_path / "clock.py"
    path.write_text(
        "from datetime import timedelta\n"
        "from clock import configure, every, handler\n"
        "configure(tz='America/New_York')\n"
        "ran = []\n"
        "@every(timedelta(minutes=1), 'Run a job')\n"
        "def run_a_job(name, due):\n"
        "    ran.append(due)\n"
        '    return "Here\'s a running job"\n'
        "every().day.at('06:00').do(ran.append, 1).named('daily').catch_up('latest')\n"
        "every().day.at('06:00').do(ran.append, 1).named('on.thread').thread()\n"
    )
    return path


def test_an_event_of_every_minute_runs_sixty_times_an_hour(clock_file: Path) -> None:
    history = testing.run(
        clock_file, start_time=START, end_time=START + timedelta(hours=1), tick_speed=timedelta(minutes=1)
    )

    assert history.ran_job("Run a job")
    assert history.times_run("Run a job") == 60
    assert history.block_for("Run a job")() == "Here's a running job"
    assert history.fires("Run a job")[0] == datetime(2015, 11, 2, 7, tzinfo=UTC)


def test_without_a_tick_speed_every_due_instant_is_met_exactly(clock_file: Path) -> None:
    history = testing.run(clock_file, start_time=START, end_time=START + timedelta(hours=1))

    assert history.times_run("Run a job") == 60
    assert {decision.detail["late_ms"] for decision in history.decisions} == {0}


def test_a_coarse_tick_fires_the_latest_instant_and_records_the_others(clock_file: Path) -> None:
    history = testing.run(
        clock_file, start_time=START, end_time=START + timedelta(hours=1), tick_speed=timedelta(minutes=10)
    )

    assert history.times_run("Run a job") == 6
    assert sum(decision.kind == "missed" for decision in history.decisions) == 5


def test_the_run_ends_after_max_ticks(clock_file: Path) -> None:
    history = testing.run(clock_file, start_time=START, end_time=START + timedelta(days=1), max_ticks=5)

    assert history.times_run("Run a job") == 5


def test_a_run_that_ends_after_max_ticks_needs_no_end(clock_file: Path) -> None:
    history = testing.run(clock_file, start_time=START, tick_speed=timedelta(minutes=1), max_ticks=5)

    assert history.times_run("Run a job") == 5
    assert history.end == datetime(2015, 11, 2, 7, 4, 1, tzinfo=UTC)


def test_callables_run_only_when_asked_to(clock_file: Path) -> None:
    for execute, runs in ((False, 0), (True, 10)):
        timetable = testing.load(clock_file)
        end = START + timedelta(minutes=10)
        testing.run(timetable, start_time=START, end_time=end, execute=execute)

        action = timetable.event("Run a job").action
        assert len(action.handler.__globals__["ran"]) == runs  # type: ignore[union-attr]  # it is a handler


def test_a_downtime_is_caught_up_once(clock_file: Path) -> None:
    history = testing.run(
        clock_file,
        start_time=START,
        end_time=START + timedelta(days=1),
        downtime=[(datetime(2015, 11, 2, 5, 30), datetime(2015, 11, 2, 6, 30))],
    )

    assert history.times_run("daily") == 1
    assert [decision.kind for decision in history.decisions if decision.event == "daily"] == ["caught_up"]


def test_a_clock_that_is_away_at_the_start_and_at_the_end_fires_in_between(clock_file: Path) -> None:
    minute = timedelta(minutes=1)
    end = START + timedelta(hours=1)
    history = testing.run(
        clock_file,
        start_time=START,
        end_time=end,
        downtime=[(START, START + 20 * minute), (end - 20 * minute, end)],
    )

    assert [due.minute for due in history.fires("Run a job")] == list(range(20, 40))


def test_the_run_ends_when_nothing_is_due_any_more() -> None:
    timetable = testing.loads("from clock import *\nevery().hour.until('2015-11-02 04:30').do(print).named('e')\n")

    history = testing.run(timetable, start_time=START, max_ticks=1000)

    assert history.times_run("e") == 2


def test_a_job_of_a_rehearsal_has_finished_at_the_next_due_instant() -> None:
    timetable = testing.loads("from clock import *\nevery().minute.do(print).named('e').overlap('skip')\n")

    history = testing.run(
        timetable, start_time=START, end_time=START + timedelta(minutes=10), tick_speed=timedelta(minutes=1)
    )

    assert {decision.kind for decision in history.decisions} == {"fired"}


def test_rows_with_a_condition_that_push_jobs_are_rehearsed() -> None:
    timetable = testing.loads(
        "from datetime import timedelta\n"
        "from clock import configure, sync_events\n"
        "from tests.testing.jobs import CountVisitsJob\n"
        "configure(tz='UTC')\n"
        "row = {'name': 'e', 'every': 120, 'if_': lambda due: due.minute % 4 == 0}\n"
        "sync_events(lambda: [row], every=timedelta(hours=1), do=CountVisitsJob)\n"
    )

    history = testing.run(timetable, start_time=START, end_time=START + timedelta(minutes=20))

    assert [due.minute for due in history.fires("e")] == [0, 4, 8, 12, 16]
    assert len(history.enqueued(CountVisitsJob)) == 5


def test_rows_that_cannot_be_copied_are_read_again_each_time() -> None:
    timetable = testing.loads(
        "from datetime import timedelta\n"
        "from clock import configure, sync_events\n"
        "configure(tz='UTC')\n"
        "class Connection:\n"
        "    def __deepcopy__(self, memo):\n"
        "        raise RuntimeError('a connection cannot be copied')\n"
        "row = {'name': 'e', 'every': 60, 'connection': Connection()}\n"
        "asked = []\n"
        "def load():\n"
        "    asked.append(1)\n"
        "    return [row if len(asked) < 3 else {**row, 'every': 300}]\n"
        "sync_events(load, every=timedelta(minutes=10), do=print)\n"
    )

    history = testing.run(timetable, start_time=START, end_time=START + timedelta(minutes=40))

    minutes = [due.minute for due in history.fires("e")]
    assert minutes[:20] == list(range(20))
    assert minutes[-3:] == [25, 30, 35]


def test_events_on_threads_are_rehearsed_in_order_like_all_others(clock_file: Path) -> None:
    history = testing.run(clock_file, start_time=START, end_time=START + timedelta(days=3))

    assert history.fires("on.thread") == history.fires("daily")


def test_an_aware_start_is_taken_as_it_is(clock_file: Path) -> None:
    start = datetime(2015, 11, 2, 11, tzinfo=UTC)

    history = testing.run(clock_file, start_time=start, end_time=start + timedelta(seconds=1))

    assert history.fires("Run a job") == [start]
    assert not history.ran_job("daily")


def test_jobs_that_are_pushed_outside_of_a_firing_are_recorded_and_go_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "clock.py"
    path.write_text(
        "import threading\n"
        "from clock import configure, every, on\n"
        "from tests.testing.jobs import CountVisitsJob\n"
        "configure(tz='UTC')\n"
        "every().day.at('06:00').do(print, end='').named('daily')\n"
        "@on('before_run')\n"
        "def push(event, due):\n"
        "    CountVisitsJob.perform_async('before')\n"
        "@on('after_run')\n"
        "def push_on_a_thread(event, due):\n"
        "    thread = threading.Thread(target=CountVisitsJob.perform_async, args=['thread'])\n"
        "    thread.start()\n"
        "    thread.join()\n"
    )

    history = testing.run(path, start_time=START, end_time=START + timedelta(days=1))

    assert [job["args"] for job in history.pushed_elsewhere] == [["before"], ["thread"]]


def test_events_that_live_in_a_database_are_rehearsed_as_their_rows_are_at_the_start() -> None:
    timetable = testing.loads(
        "from datetime import timedelta\n"
        "from clock import configure, sync_events\n"
        "configure(tz='UTC')\n"
        "rows = [{'id': 1, 'name': 'row one', 'frequency': 86400, 'at': '06:00'}]\n"
        "sync_events(lambda: rows, every=timedelta(minutes=1), do=print)\n"
    )

    history = testing.run(timetable, start_time=START, end_time=START + timedelta(days=3))

    [name] = [event.name for event in history.timetable.events]
    assert [at.hour for at in history.fires(name)] == [6, 6, 6]


def test_a_paused_event_does_not_fire_and_the_history_says_so() -> None:
    timetable = testing.loads("from clock import every\nevery().day.at('06:00', 'UTC').do(print).named('daily')\n")
    first = testing.run(timetable, start_time=START, end_time=START + timedelta(days=1))
    first.ledger.pause("daily", Pause(datetime(2000, 1, 1, tzinfo=UTC), note="not before we are ready"))

    history = testing.run(
        timetable, start_time=START + timedelta(days=1), end_time=START + timedelta(days=3), ledger=first.ledger
    )

    assert not history.ran_job("daily")
    assert {item.detail["reason"] for item in history.decisions} == {"paused: not before we are ready"}


def test_the_jobs_of_one_class_are_found_among_those_of_an_event() -> None:
    timetable = testing.loads(
        "from clock import DUE_AT, every\n"
        "from tests.testing.jobs import CountVisitsJob, SendReportJob\n"
        "def push(due):\n"
        "    SendReportJob.perform_async(str(due))\n"
        "    CountVisitsJob.perform_async(due[:10])\n"
        "every().day.at('06:00', 'UTC').do(push, DUE_AT).named('e')\n"
    )

    history = testing.run(timetable, start_time=START, end_time=START + timedelta(days=2), execute=True)

    assert [found.args for found in history.enqueued(CountVisitsJob)] == [["2015-11-02"], ["2015-11-03"]]


def test_a_rehearsal_opens_no_connection(clock_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    timetable = testing.loads(
        "from clock import every\n"
        "from tests.testing.jobs import CountVisitsJob\n"
        "every().day.at('06:00').do(CountVisitsJob).named('job')\n"
        "every().day.at('06:00').do(CountVisitsJob.perform_async).named('callable')\n"
        "every().day.at('06:00').do(CountVisitsJob.perform_in, 60).named('delayed')\n"
    )

    history = testing.run(timetable, start_time=START, end_time=START + timedelta(days=2), execute=True)

    assert len(history.enqueued(CountVisitsJob)) == 6


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"end_time": START}, "end_time, 2015-11-02 02:00.* is not after start_time"),
        ({"end_time": START - timedelta(days=1)}, "end_time, 2015-11-01 02:00.* is not after start_time"),
        ({"tick_speed": timedelta(0)}, "tick_speed is .*it must be a length of time"),
        ({"tick_speed": -timedelta(minutes=1)}, "tick_speed is .*it must be a length of time"),
        ({"tick_speed": 60}, "tick_speed is 60; it must be a length of time"),
        ({"max_ticks": 0}, "max_ticks is 0; it must be 1 or more"),
        ({"max_ticks": "3"}, "max_ticks is '3'; it must be 1 or more"),
        ({"end_time": None}, "the end is missing"),
        (
            {"start_time": date(2015, 11, 2)},
            r"datetime\.date\(2015, 11, 2\) is not a time; it must be a datetime or a string",
        ),
        ({"start_time": "tomorrow"}, "'tomorrow' is not a time"),
        ({"downtime": (START, START + timedelta(hours=1))}, r"downtime holds datetime.* it must hold pairs"),
        ({"downtime": [(START + timedelta(hours=2), START)]}, "downtime ends at 2015-11-02 02:00"),
    ],
)
def test_times_that_leave_nothing_to_run_do_not_pass_for_a_file_that_fires_nothing(
    clock_file: Path, wrong: dict[str, object], message: str
) -> None:
    given = {"start_time": START, "end_time": START + timedelta(hours=1), **wrong}

    with pytest.raises(ConfigurationError, match=message):
        testing.run(clock_file, **given)  # type: ignore[arg-type]  # as they come


ROWS = """
from datetime import datetime, timedelta, timezone
from clock import configure, error_handler, sync_events

configure(tz="UTC")
asked, errors = [], []

def load():
    now = datetime.now(timezone.utc)
    asked.append(now.minute)
    if now.minute == 7:
        raise RuntimeError("no database")
    period = 120 if now.minute < 20 else 300
    return [{"name": "a", "every": period}] if now.minute < 40 else []

@error_handler
def note(error):
    errors.append(str(error))

sync_events(load, every=timedelta(minutes=1), do=print)
"""


@pytest.mark.parametrize("how", [{}, {"tick_speed": timedelta(seconds=10)}], ids=["plain", "tick_speed"])
@pytest.mark.parametrize("execute", [False, True])
def test_rows_are_read_as_often_as_in_production_and_followed(
    tmp_path: Path, how: dict[str, Any], execute: bool
) -> None:
    path = tmp_path / "clock.py"
    path.write_text(ROWS)
    timetable = load(path)
    state = timetable.synced[0].load.__globals__  # the file's own lists
    start = datetime(2026, 6, 1, tzinfo=UTC)

    history = testing.run(timetable, start_time=start, end_time=start + timedelta(hours=1), execute=execute, **how)

    assert state["asked"] == list(range(60))
    assert state["errors"] == ["no database"]
    assert [due.minute for due in history.fires("a")] == [*range(0, 20, 2), 25, 30, 35]
