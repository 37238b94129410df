import os
from datetime import timedelta
from pathlib import Path

import pytest

from clock.clocks import SystemClock
from clock.health import probes
from clock.health.probes import Report, Reports, launcher_complaints
from clock.testing import FakeClock
from tests.health.test_server import Signs
from tests.patience import eventually


def written(folder: Path, pid: int, worker: Signs, beside: Signs | None, clock: FakeClock) -> None:
    """A child's report, under another process id than ours."""
    Report(folder, worker, beside, clock=clock).write()
    (folder / f"{os.getpid()}.json").rename(folder / f"{pid}.json")


@pytest.fixture
def pids() -> list[int]:
    return [1, 2]


@pytest.fixture
def reports(tmp_path: Path, pids: list[int], fake_clock: FakeClock) -> Reports:
    return Reports(tmp_path, lambda: pids, 60, clock=fake_clock)


def test_a_process_that_has_not_written_yet_is_alive_and_not_ready(
    reports: Reports, tmp_path: Path, fake_clock: FakeClock
) -> None:
    written(tmp_path, 1, Signs(), None, fake_clock)

    assert reports.vitals().not_live == ()
    assert reports.vitals().not_ready == ("process 2: it is starting",)


def test_what_is_wrong_with_one_is_wrong_with_all(reports: Reports, tmp_path: Path, fake_clock: FakeClock) -> None:
    written(tmp_path, 1, Signs(), None, fake_clock)
    written(tmp_path, 2, Signs(seconds_since_fetch=70), None, fake_clock)

    assert reports.vitals().not_live == ()
    assert reports.vitals().not_ready == ("process 2: Redis last answered a fetch 70 s ago; the limit is 60 s",)


def test_the_words_of_a_process_that_hangs_age(
    reports: Reports, tmp_path: Path, pids: list[int], fake_clock: FakeClock
) -> None:
    for pid in pids:
        written(tmp_path, pid, Signs(), Signs(), fake_clock)
    fake_clock.advance(timedelta(seconds=301))
    written(tmp_path, 1, Signs(), Signs(), fake_clock)

    assert reports.vitals().not_live == (
        "process 2: the clock's last tick was 301 s ago; the limit is 300 s",
        "process 2: the worker's last fetch was 301 s ago; the limit is 300 s",
    )


def test_a_process_that_has_been_replaced_is_asked_no_more(
    reports: Reports, tmp_path: Path, pids: list[int], fake_clock: FakeClock
) -> None:
    written(tmp_path, 1, Signs(), None, fake_clock)
    written(tmp_path, 2, Signs(seconds_since_look=400), None, fake_clock)
    assert reports.vitals().not_live

    pids[:] = [1]

    assert reports.vitals().not_ready == ()


def test_clocks_beside_the_workers_are_told_as_one(
    reports: Reports, tmp_path: Path, fake_clock: FakeClock
) -> None:
    assert (reports.leads, reports.seconds_overdue) == (False, 0)

    written(tmp_path, 1, Signs(), Signs(leads=True, seconds_overdue=7), fake_clock)
    written(tmp_path, 2, Signs(), Signs(leads=False), fake_clock)

    assert (reports.leads, reports.seconds_overdue) == (True, 7)


def test_a_child_writes_from_its_own_thread_and_goes_on_after_a_full_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "WRITE_SECONDS", 0.01)
    folder = tmp_path / "full"
    report = Report(folder, Signs(), None, clock=SystemClock())
    with caplog.at_level("DEBUG", logger="clock.health"):
        report.start()
        eventually(lambda: "Health: " in caplog.text, "the error of a write")

        folder.mkdir()

        eventually((folder / f"{os.getpid()}.json").exists, "a report")
    report.stop()


def test_a_launcher_that_does_not_look_at_its_children_is_not_alive() -> None:
    assert launcher_complaints(300.0).not_live == ()
    assert launcher_complaints(301.0).not_live == (
        "the last check of the worker processes was 301 s ago; the limit is 300 s",
    )
