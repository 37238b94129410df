import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from redis import Redis

from clock.errors import ConfigurationError
from clock.store.jobs import job_metrics
from clock.store.jobs.job_metrics import Tally

Command = Callable[..., Result]
FILE = """
from clock import configure, every
from tests.ticker.jobs import FetchNewsJob
configure(tz="Europe/Berlin")
every().day.at("06:00").named("a").do(FetchNewsJob, 1)
every().day.at("06:00").named("b").do(FetchNewsJob, 2)
"""


@pytest.fixture(autouse=True)
def clock_file(application: Path) -> None:
    (application / "lib").mkdir()
    (application / "lib" / "clock.py").write_text(FILE)


def test_a_forecast_uses_the_measured_run_times_and_draws_them(
    clock: Command, redis: Redis, application: Path
) -> None:
    job_metrics.add(redis, {"FetchNewsJob": Tally(processed=4, failed=1, ms=3 * 40_000)}, now=datetime.now(UTC))

    text = clock("forecast", "--slots", "1", "--from", "2026-12-01", "--svg", "f.svg").output
    found = json.loads(clock("forecast", "--slots", "1", "--from", "2026-12-01", "--json").output)

    assert "2 jobs from 2026-12-01 00:00:00 CET to 2026-12-02 00:00:00 CET on 1 slot" in text
    assert "b: 1 of 1 late; worst 40.0 s, due 2026-12-01 06:00:00 CET" in text
    assert ".spread(timedelta(minutes=" in text
    assert found["left_out"] == []
    assert "Not counted" not in text
    assert (application / "f.svg").read_text().startswith("<svg")
    assert (found["late"][0]["worst_seconds"], found["late"][0]["worst_due"]) == (40, "2026-12-01T05:00:00+00:00")


def test_a_forecast_without_redis_reports_that_schedules_in_redis_are_left_out(
    clock: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL")
    words = ("forecast", "--slots", "1", "--seconds", "FetchNewsJob=1s")

    text, found = clock(*words).output, json.loads(clock(*words, "--json").output)

    assert text.endswith("\nNot counted, as Redis was not read: schedules put at run time\n")
    assert found["left_out"] == ["schedules put at run time"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "no worker runs; pass --slots"),
        (("--slots", "1", "--seconds", "FetchNewsJob"), "write CLASS=TIME"),
        (("--slots", "1", "--seconds", "FetchNewsJob=fast"), "write a time"),
        (("--slots", "1", "--seconds", "FetchNewJob=1s"), "'FetchNewJob'; did you mean 'FetchNewsJob'"),
        (("--slots", "1", "--from", "9999-12-31"), "--to '1d' is outside the years 1 to 9999"),
    ],
)
def test_a_forecast_without_slots_or_with_a_wrong_time_is_an_error(
    clock: Command, words: tuple[str, ...], text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        clock("forecast", *words)


def test_more_slots_than_memory_holds_are_refused(clock: Command) -> None:
    shown = clock("forecast", "--slots", "9" * 30)

    assert (shown.exit_code, "is not in the range" in shown.output) == (2, True)


def test_a_drawing_that_cannot_be_written_is_an_error(clock: Command) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot write nowhere/f\.svg: No such file or directory"):
        clock("forecast", "--slots", "1", "--seconds", "FetchNewsJob=1s", "--svg", "nowhere/f.svg")
