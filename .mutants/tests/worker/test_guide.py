"""`docs/worker.md`: what it says is what there is."""

import re
from pathlib import Path
from typing import Any

import pytest

from clock import worker_hooks
from clock.cli.commands.running.worker import worker
from clock.config import Config
from clock.job import registry
from clock.worker.running.retry import judge
from clock.worker_hooks import WORKER_EVENTS

GUIDE = (Path(__file__).parent.parent.parent / "docs/worker.md").read_text()


def test_its_table_names_the_options_settings_and_defaults_that_there_are() -> None:
    rows = re.findall(
        r"^\| (?:(?:`(-\w)`, )?`(--[\w-]+)`)? ?\| `(\w+)` \| [^|]* \| `?(\w+)`? \|$", GUIDE, re.MULTILINE
    )
    options = {words for parameter in worker.params for words in parameter.opts}

    assert len(rows) == 9
    for short, long, setting, default in rows:
        assert {word for word in (short, long) if word} <= options
        known = getattr(Config(), setting)
        if isinstance(known, tuple):
            known = known[0][0] if setting == "queues" else known[0]
        if known is None:
            known = "none"
        assert default == (f"{known:g}" if isinstance(known, float) else str(known))


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


def test_the_job_that_it_shows_runs_and_decides_as_it_says(caplog: pytest.LogCaptureFixture) -> None:
    block, _ = blocks()
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


def test_the_hooks_that_it_shows_are_called(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, block = blocks()
    monkeypatch.setattr(worker_hooks, "_hooks", {event: [] for event in worker_hooks.WORKER_EVENTS})
    monkeypatch.setattr(worker_hooks, "_error_handlers", [])
    monkeypatch.setattr(worker_hooks, "_death_handlers", [])
    exec(block, {"__name__": "guide"})  # noqa: S102  # our own guide

    with caplog.at_level("INFO"):
        worker_hooks.fire("startup")
        worker_hooks.report(ValueError("no"), {"context": "Job raised exception"})
        worker_hooks.died({"class": "ChargeCardJob", "jid": "7"}, ValueError("no"))

    assert caplog.messages == [
        "before the first job",
        "Job raised exception: no",
        "ChargeCardJob 7 will not run again: no",
    ]


def test_it_names_the_events_that_there_are() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| .* \| (?:main|hooks) \|$", GUIDE, re.MULTILINE)) == set(WORKER_EVENTS)
