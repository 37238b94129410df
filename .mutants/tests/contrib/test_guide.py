"""The guide to observability: its Python is run, as it stands, in one process."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from clock import testing
from clock.job.registry import forget, lookup

GUIDE = Path(__file__).parents[2] / "docs" / "observability.md"


BLOCKS = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
CLOCK_FILE = "# lib/clock.py"
HEAD = """
from datetime import timedelta
from clock import Job, every
class SendMailJob(Job):
    def perform(self): ...
"""


def test_the_clock_files_of_the_guide_load() -> None:
    [file] = [block for block in BLOCKS if block.startswith(CLOCK_FILE)]

    events = testing.loads(HEAD + file).events
    forget(lookup("SendMailJob"))

    assert [event.monitor.slug for event in events if event.monitor] == ["nightly-mail", "digest"]


@pytest.mark.process
def test_the_examples_of_the_guide_run(tmp_path: Path) -> None:
    script = tmp_path / "examples.py"
    script.write_text("\n".join(block for block in BLOCKS if not block.startswith(CLOCK_FILE)))

    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)

    assert (done.returncode, done.stderr) == (0, "")
