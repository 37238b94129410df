"""`schedule.cancel_job`, `clear` and `every` in an action, while the clock runs."""

import re
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import schedule

from clock.testing import History, run
from clock.timetable.clock_file import at_run_time

START = datetime(2026, 1, 1, tzinfo=UTC)
TOP = """
import schedule
from clock import configure
configure(tz="UTC")
def a(): ...
def b(): ...
"""
DECLARED_LATE = "events cannot be declared while the clock runs"
Rehearse = Callable[[str], History]


@pytest.fixture
def rehearse(tmp_path: Path) -> Rehearse:
    """Run a clock file of these lines for ten minutes; the first is line 7."""

    def rehearse_lines(lines: str) -> History:
        path = tmp_path / "clock.py"
        path.write_text(TOP + textwrap.dedent(lines))
        return run(path, start_time=START, end_time=START + timedelta(minutes=10), execute=True)

    return rehearse_lines


def kinds(history: History, name: str) -> list[tuple[str, str]]:
    """What became of the event's due instants, and why."""
    return [
        (made.kind, str(made.detail.get("error") or made.detail.get("reason") or ""))
        for made in history.decisions
        if made.event == name
    ]


def test_an_event_may_cancel_itself_and_another(rehearse: Rehearse) -> None:
    history = rehearse("""
        def once():
            schedule.cancel_job(ref)
            schedule.cancel_job(other)
        ref = schedule.every(2).minutes.do(once).named("once")
        other = schedule.every().minute.do(a).named("other")
        schedule.every(3).minutes.do(b).named("stays")
    """)

    assert [history.times_run(name) for name in ("once", "other", "stays")] == [1, 2, 3]
    assert schedule.default_scheduler.__class__ is schedule.Scheduler


@pytest.mark.parametrize(
    "call", ["schedule.clear('x')", "clock.clear('x')", "list(map(schedule.cancel_job, schedule.get_jobs('x')))"]
)
def test_clear_stops_the_events_with_a_tag(rehearse: Rehearse, call: str) -> None:
    history = rehearse(f"""
        import clock
        schedule.every(5).minutes.do(lambda: {call}).named("clears")
        schedule.every().minute.do(a).named("tagged").tag("x")
        schedule.every().minute.do(b).named("not tagged")
    """)

    assert [history.times_run(name) for name in ("tagged", "not tagged")] == [5, 9]


def test_a_cancelled_event_stays_where_its_action_fails(rehearse: Rehearse) -> None:
    history = rehearse("""
        def fails():
            schedule.cancel_job(ref)
            raise ValueError
        ref = schedule.every(2).minutes.do(fails).named("fails")
    """)

    assert [kind for kind, _ in kinds(history, "fails")] == ["error"] * 4


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("schedule.every().minute.do(a)", "events cannot be declared while the clock runs"),
        (
            "schedule.every(2).to(5).seconds.until('2030-01-01').do(a)",
            "events cannot be declared while the clock runs",
        ),
        ("clock.every().minute.do(a)", "events cannot be declared while the clock runs"),
        ("clock.cron('* * * * *').do(a)", "events cannot be declared while the clock runs"),
        ("ref.until('18:00')", "until(...) has no effect while the clock runs"),
        ("schedule.run_all()", "run_all() would run every job"),
    ],
)
def test_a_declaration_in_an_action_fails_it_with_its_line(rehearse: Rehearse, call: str, error: str) -> None:
    history = rehearse(f"""
        import clock
        def declares():
            {call}
        ref = schedule.every(5).minutes.do(declares).named("declares")
        schedule.every().minute.do(b).named("others go on")
    """)

    [(kind, reason)] = kinds(history, "declares")
    assert kind == "error"
    assert re.search(rf"clock\.py:10: {re.escape(error)}", reason)
    assert history.times_run("others go on") == 9


def test_what_only_reads_works_in_an_action(rehearse: Rehearse) -> None:
    history = rehearse("""
        def reads():
            schedule.run_pending()
            assert len(schedule.get_jobs()) == len(schedule.jobs) == 1
            schedule.cancel_job(schedule.Job(1))
        schedule.every(5).minutes.do(reads).named("reads")
    """)

    assert history.times_run("reads") == 1


def test_while_an_action_runs_only_its_own_calls_reach_the_scheduler_of_its_file() -> None:
    own, of_file = schedule.default_scheduler, schedule.Scheduler()

    with at_run_time.action(of_file):
        seen_by_action = schedule.default_scheduler.jobs
        with ThreadPoolExecutor(1) as pool:
            seen_by_another_thread = pool.submit(lambda: schedule.default_scheduler.jobs).result()

    assert seen_by_action is of_file.jobs
    assert seen_by_another_thread is own.jobs


def test_an_action_of_a_file_without_a_scheduler_reaches_the_packages_own() -> None:
    own = schedule.default_scheduler.jobs

    with at_run_time.action(None):
        assert schedule.default_scheduler.jobs is own


def test_the_package_has_its_own_scheduler_again_after_the_last_action() -> None:
    own, jobs = schedule.default_scheduler, schedule.jobs

    with at_run_time.action(schedule.Scheduler()):
        with at_run_time.action(schedule.Scheduler()):
            pass
        assert schedule.default_scheduler is not own

    assert schedule.default_scheduler is own
    assert schedule.jobs is jobs


def test_an_action_runs_after_a_load_that_began_in_another_action_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = schedule.default_scheduler
    with at_run_time.action(None):
        put_back = schedule.default_scheduler
    monkeypatch.setattr(schedule, "default_scheduler", put_back)

    with at_run_time.action(None):
        assert schedule.jobs == own.jobs

    assert schedule.default_scheduler.jobs == own.jobs
