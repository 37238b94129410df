"""The reference that is made from the code: it has every key and every metric."""

import re
from pathlib import Path

from clock.store import keys
from docs.site import reference


def listed(text: str, section: str = "") -> set[str]:
    """The first cells of the rows, all or those of a section."""
    part = text.partition(f"## {section}\n")[2].partition("\n## ")[0] if section else text
    return {name.replace(r"\|", "|") for name in re.findall(r"^\| `([^`]+)` \|", part, re.MULTILINE)}


def test_the_reference_lists_every_key() -> None:
    named = {value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)}

    found = listed(reference.redis_keys())

    assert named - found == set()
    assert {"IDENTITY:work", "IDENTITY:workers", "IDENTITY-signals", "DAY-marks", "deploylock-LABEL"} <= found


def test_the_reference_lists_the_lists_of_queues_as_sidekiqs() -> None:
    assert "queue:" in listed(reference.redis_keys(), "Sidekiq's keys")


def test_the_meaning_of_a_key_is_complete() -> None:
    [row] = [line for line in reference.redis_keys().splitlines() if "`clock:shard_claims:`" in line]

    assert row.endswith("a worker process -> when its claim on the shard ends; at home |")


def test_the_reference_lists_every_metric(repository: Path) -> None:
    code = (repository / "clock/health/metrics.py").read_text()
    named = set(re.findall(r'"(clock_[a-z_]+)"', code))

    assert {name.removesuffix("_total") for name in listed(reference.metrics())} == named
