"""The examples of docs/testing.md are tests, and pass."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.process, pytest.mark.slow]


def test_every_example_of_the_testing_guide_runs(repository: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", (repository / "docs" / "testing.md").read_text(), re.M | re.S)
    for number, block in enumerate(blocks, 1):
        (tmp_path / f"test_example_{number}.py").write_text(block)

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(tmp_path),
            str(tmp_path),
        ],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert len(blocks) >= 8
    assert f"{sum(block.count('def test_') for block in blocks)} passed" in done.stdout
