"""The pytest plugin, in test runs of its own."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
pytestmark = [pytest.mark.process, pytest.mark.slow]

CLOCK_FILE = """
from clock import Job, configure, every
configure(tz="Europe/Berlin")

class CountJob(Job):
    def perform(self, number): ...

every().day.at("06:00").do(CountJob, 1).named("daily")
every().day.at("07:00").if_(lambda due: due.day == 1).do(print).named("first")
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with a clock file."""
    pytester.mkdir("lib")
    Path("lib/clock.py").write_text(CLOCK_FILE)
    pytester.makeini("[pytest]\n")
    return pytester


def test_the_fixtures_come_with_the_package(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from datetime import datetime, timedelta
        from clock import Job

        class PushedJob(Job):
            def perform(self): ...

        def test_clock_run(clock_run):
            history = clock_run(start_time=datetime(2026, 1, 1), end_time=datetime(2026, 1, 3))
            assert history.times_run("daily") == 2

        def test_fake_clock_and_redis(fake_clock, embedded_redis):
            fake_clock.advance(timedelta(hours=1))
            PushedJob.perform_async()
            [payload] = embedded_redis.lrange("queue:default", 0, -1)
            assert f'"created_at":{fake_clock.now().timestamp()}'.encode() in payload

        def test_world(world):
            w = world("2026-01-01 00:00", tz="Europe/Berlin")
            w.enqueue(PushedJob)
            w.run(minutes=1)
            assert [run.outcome for run in w.ran(PushedJob)] == ["done"]

        def test_jobs(jobs):
            PushedJob.perform_async()
            assert [payload["class"] for payload in jobs.payloads] == ["PushedJob"]
            assert jobs.drain(PushedJob) == 1

        def test_redis_is_empty_again(embedded_redis):
            assert embedded_redis.dbsize() == 0
        """
    )

    project.runpytest_subprocess("-q", "-p", "no:randomly").assert_outcomes(passed=5)


def test_a_failure_shows_when_it_did_fire(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from datetime import datetime

        def test_it_fires_at_seven(clock_run):
            history = clock_run(start_time=datetime(2026, 3, 20), end_time=datetime(2026, 4, 2))
            assert [at.hour for at in history.fires("daily")] == [7] * 13

        def test_it_fires_twice(clock_run):
            history = clock_run(start_time=datetime(2026, 3, 30), end_time=datetime(2026, 4, 2))
            assert history.times_run("first") == 2
        """
    )

    result = project.runpytest_subprocess("-q", "-p", "no:randomly")

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*daily (every day at 06:00 in Europe/Berlin) fired 13 times:",
            "*Fri 2026-03-20 06:00:00 CET",
            "*... 3 more ...",
            "*Wed 2026-04-01 06:00:00 CEST",
            "*first (every day at 07:00 in Europe/Berlin) fired 1 times:",
            "*Wed 2026-04-01 07:00:00 CEST",
            "*2 times refused: its condition returned False",
        ]
    )


def test_snapshots_are_written_by_the_option(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        def test_next_month():
            from clock.testing import assert_timeline  # the option has been read by then

            assert_timeline("timelines/next_month.txt")
        """
    )

    project.runpytest_subprocess("-q").assert_outcomes(failed=1)
    project.runpytest_subprocess("-q", "--clock-update").assert_outcomes(passed=1)
    project.runpytest_subprocess("-q").assert_outcomes(passed=1)
    Path("lib/clock.py").write_text(CLOCK_FILE.replace("06:00", "06:30"))
    result = project.runpytest_subprocess("-q")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*-  * 06:00", "*+  * 06:30"])


def test_who_does_not_use_the_plugin_does_not_pay_for_the_package(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_of_it_is_imported():
            assert [name for name in sys.modules if name.partition(".")[0] in ("clock", "redis", "schedule")] == []
        """
    )

    result = pytester.runpytest_subprocess("-q", "-p", "no:randomly", "-W", "error")

    result.assert_outcomes(passed=1)


def test_a_failure_shows_what_was_rehearsed_by_a_fixture_or_imported_late(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from datetime import datetime
        import pytest

        @pytest.fixture
        def history():
            from clock import testing
            return testing.run(start_time=datetime(2026, 3, 1), end_time=datetime(2026, 3, 3))

        def test_it_fires_daily(history):
            assert history.times_run("daily") == 3
        """
    )

    result = project.runpytest_subprocess("-q", "-p", "no:randomly")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*daily (every day at 06:00 in Europe/Berlin) fired 2 times:"])
