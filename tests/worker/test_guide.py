"""`docs/worker.md`: what it says is what there is."""

import re
from pathlib import Path
from typing import Any

import pytest

from clock.cli.commands.worker import worker
from clock.config import Config
from clock.job import registry
from clock.worker.retry import judge

GUIDE = (Path(__file__).parent.parent.parent / "docs/worker.md").read_text()


def test_its_table_names_the_options_settings_and_defaults_that_there_are() -> None:
    rows = re.findall(r"^\| (?:`(-\w)`, `(--\w+)`)? ?\| `(\w+)` \| [^|]* \| `?(\w+)`? \|$", GUIDE, re.MULTILINE)
    options = {words for parameter in worker.params for words in parameter.opts}

    assert len(rows) == 6
    for short, long, setting, default in rows:
        assert not short or {short, long} <= options
        known = getattr(Config(), setting)
        if isinstance(known, tuple):
            known = known[0][0] if setting == "queues" else known[0]
        assert default == (f"{known:g}" if isinstance(known, float) else str(known))


def test_the_job_that_it_shows_runs_and_decides_as_it_says(caplog: pytest.LogCaptureFixture) -> None:
    [block] = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    names: dict[str, Any] = {"__name__": "guide"}
    exec(block, names)  # noqa: S102  # our own guide
    job = names["ChargeCardJob"]
    payload = {"class": "ChargeCardJob", "args": [1], "jid": "1", "retry": 10}

    try:
        with caplog.at_level("INFO"):
            job.perform_inline(7)
        refused = judge(payload, job, PermissionError("no"), now=1.0)
        failed = judge(payload, job, ValueError("no"), now=1.0)
    finally:
        registry.forget(job)

    assert "attempt 1 for order 7" in caplog.text
    assert (refused.where, failed.where) == ("dead", "retry")
