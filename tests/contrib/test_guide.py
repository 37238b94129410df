"""The guide to observability: its Python is run, as it stands, in one process."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "observability.md"


@pytest.mark.process
def test_the_examples_of_the_guide_run(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    script = tmp_path / "examples.py"
    script.write_text("\n".join(blocks))

    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)

    assert (done.returncode, done.stderr) == (0, "")
