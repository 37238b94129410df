"""mypy and pyright find the mistakes that `mistakes.py` holds, and none in `right.py`."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from clock.job import registry
from clock.timetable import load
from tests.patience import PATIENCE_SECONDS
from tests.typing import right

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RIGHT, MISTAKES = HERE / "right.py", HERE / "mistakes.py"

#: checker -> its words, without the files
CHECKERS = {
    "mypy": [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--hide-error-context",
        "--no-pretty",
    ],
    "pyright": [sys.executable, "-m", "pyright", "--pythonpath", sys.executable],
}


def has_pyright() -> bool:
    if not shutil.which("node"):
        return False
    words = [sys.executable, "-m", "pyright", "--version"]
    return subprocess.run(words, capture_output=True, check=False, timeout=5 * PATIENCE_SECONDS).returncode == 0


def seeded() -> list[int]:
    lines = MISTAKES.read_text().splitlines()
    return [number for number, line in enumerate(lines, 1) if "# mistake" in line and not line.startswith('"""')]


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_a_type_checker_finds_all_mistakes_and_no_others(checker: str) -> None:
    if checker == "pyright" and not has_pyright():
        pytest.skip("pyright needs node, and npm for its first run")
    found = subprocess.run(
        [*CHECKERS[checker], str(RIGHT), str(MISTAKES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=5 * PATIENCE_SECONDS,
    )

    places = re.findall(r"(\w+)\.py:(\d+)(?::\d+)?(?: -|:) error", found.stdout)
    assert places, found.stdout + found.stderr
    assert {int(line) for name, line in places if name == "mistakes"} == set(seeded())
    assert [line for name, line in places if name == "right"] == []


def test_there_are_eighteen_mistakes() -> None:
    assert len(seeded()) == 18


def test_what_is_typed_runs(redis: Redis, tmp_path: Path) -> None:
    path = tmp_path / "clock.py"
    path.write_text("from tests.typing.right import declare\ndeclare()\n")

    right.push()

    assert len(load(path, root=ROOT).events) == 9
    assert redis.llen("queue:mail") == 10
    assert registry.lookup("mail_receipt").queue == "mail"
