"""The README's files, put together as its reader would."""

import re
from pathlib import Path

import pytest

from tests.process.conftest import App

pytestmark = pytest.mark.process

_BLOCK = re.compile(r"^```python\n# (?P<path>\S+\.py)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_files_of_the_readme_make_an_application_whose_test_passes(app: App, repository: Path) -> None:
    files = {found["path"]: found["code"] for found in _BLOCK.finditer((repository / "README.md").read_text())}
    for path, code in files.items():
        app.write(path, code)
    app.write("jobs/__init__.py", "")  # goes before the repository's own jobs, which tests can import as well

    tested = app.run("-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "tests")

    assert set(files) == {"jobs/send_weekly_digest_job.py", "lib/clock.py", "tests/test_clock_file.py"}
    assert tested.returncode == 0, tested.stdout
    assert "1 passed" in tested.stdout
    fired = app.clock("fire", "weekly.digest")
    assert "Fired 'weekly.digest': 1 job pushed" in fired.stdout, fired.stdout + fired.stderr
