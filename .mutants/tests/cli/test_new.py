import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from clock.errors import ConfigurationError

Clock = Callable[..., Result]


@pytest.mark.parametrize("name", ["SendReceipts", "SendReceiptsJob", "send_receipts", "send_receipts_job"])
def test_a_job_is_written_with_its_test(clock: Clock, application: Path, name: str) -> None:
    shown = clock("new", "job", name).output

    assert "Wrote jobs/send_receipts_job.py" in shown
    assert "class SendReceiptsJob(Job):" in (application / "jobs/send_receipts_job.py").read_text()
    assert (application / "tests/jobs/test_send_receipts_job.py").exists()
    assert (application / "jobs/__init__.py").read_text() == ""


def test_an_abbreviation_stays_one_word(clock: Clock, application: Path) -> None:
    clock("new", "job", "SyncCRMContacts")

    assert "class SyncCRMContactsJob(Job):" in (application / "jobs/sync_crm_contacts_job.py").read_text()


def test_what_exists_is_not_overwritten(clock: Clock, application: Path) -> None:
    clock("new", "clock")
    (application / "lib/clock.py").write_text("mine")

    with pytest.raises(ConfigurationError, match=r"lib/clock.py already exists"):
        clock("new", "clock")
    assert (application / "lib/clock.py").read_text() == "mine"


def test_a_name_that_is_no_class_is_refused(clock: Clock) -> None:
    for name in ("send receipts", "../evil", "1Job", "Job"):
        assert clock("new", "job", name).exit_code == 2


def test_a_clock_file_comes_with_a_package_for_jobs(clock: Clock, application: Path) -> None:
    shutil.rmtree(application / "jobs", ignore_errors=True)

    assert "Wrote jobs/__init__.py" in clock("new", "clock").output


@pytest.mark.process
def test_the_tests_that_are_written_pass(clock: Clock, application: Path) -> None:
    clock("new", "job", "SendReceipts")
    clock("new", "clock")

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "tests"],
        cwd=application,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout
