"""`preview`, `check` and `diff` as processes of their own, on the sample application."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.process


def clock(repository: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`python -m clock` with these words, in the repository."""
    command = [sys.executable, "-m", "clock", *words]
    return subprocess.run(
        command, cwd=repository, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )


def test_preview_shows_the_samples_week(repository: Path) -> None:
    done = clock(repository, "preview", "--from", "2026-12-01", "--to", "7d", "-e", "assignment.reminders")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("SendAllAssignmentRemindersJob") == 7


def test_check_finds_nothing_wrong_with_the_sample(repository: Path) -> None:
    done = clock(repository, "check")

    assert (done.returncode, done.stderr) == (0, "")
    assert "0 errors" in done.stdout


def test_diff_says_what_is_gone_and_exits_3(repository: Path, tmp_path: Path) -> None:
    changed = tmp_path / "clock.py"
    text = (repository / "lib" / "clock.py").read_text()
    changed.write_text("\n".join(line for line in text.splitlines() if "old.reminders" not in line))

    done = clock(repository, "diff", "lib/clock.py", str(changed), "--from", "2026-12-01", "--format", "markdown")

    assert (done.returncode, done.stderr) == (3, "")
    assert "| - old.reminders: removed |" in done.stdout


def test_a_missing_clock_file_is_told_in_one_line(repository: Path) -> None:
    for command in ("preview", "check", "diff"):
        words = ["lib/clock.py", "no.py"] if command == "diff" else ["no.py"]

        done = clock(repository, command, *words)

        assert (done.returncode, done.stderr.count("\n")) == (1, 1), command
        assert "no clock file no.py" in done.stderr


@pytest.mark.parametrize(
    "words", [["explain", "--json"], ["preview", "--json", "--to", "2d"], ["check", "--format", "json"]]
)
def test_what_a_clock_file_prints_does_not_get_into_the_answer(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "clock.py").write_text(
        "import subprocess\n"
        "from clock import every\n"
        "print('printed')\n"
        "subprocess.run(['echo', 'printed by a process'])\n"
        "every().day.at('06:00').do(print).named('daily').if_(lambda due: print('asked') or True)\n"
    )

    done = clock(tmp_path, *words)

    json.loads(done.stdout)
    assert {"printed", "printed by a process"} <= set(done.stderr.splitlines())
