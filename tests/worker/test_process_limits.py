"""A worker process ends after a number of jobs, or above a limit of memory."""

import pytest

from clock.errors import ConfigurationError
from clock.job.context import JobRun
from clock.worker import WorkerOptions
from clock.worker.limits import Limits, check_memory

RUN, UNFIT = JobRun({}, "default", "done"), JobRun({}, "default", "unfit")


@pytest.fixture(autouse=True)
def _memory_of_100_mb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clock.worker.limits.resident_kb", lambda: 100 * 1024 + 1023)


def test_a_process_ends_after_its_number_of_jobs_and_not_before() -> None:
    ends: list[str] = []
    limits = Limits(WorkerOptions(max_jobs=2), lambda: ends.append("last"))

    said = []
    for run in (UNFIT, RUN, UNFIT, RUN, RUN):
        limits.note(run)
        said.append(limits.reached())

    assert said == ["", "", "", *["it has run 2 jobs (max_jobs)"] * 2]
    assert ends == ["last"]


def test_a_process_without_a_limit_runs_on() -> None:
    limits = Limits(WorkerOptions(), lambda: pytest.fail("no limit was reached"))
    limits.note(RUN)

    assert limits.reached() == ""
    check_memory(None)


@pytest.mark.parametrize(("most", "words"), [(100, ""), (99, "it uses 100 MB (max_memory is 99 MB)")])
def test_a_process_ends_above_its_limit_of_memory(most: int, words: str) -> None:
    assert Limits(WorkerOptions(max_memory_mb=most), lambda: None).reached() == words


def test_a_limit_of_memory_that_is_used_up_before_the_first_job_is_refused() -> None:
    check_memory(101)

    with pytest.raises(
        ConfigurationError, match="uses 100 MB before its first job; set max_memory to 200 or more"
    ):
        check_memory(100)
