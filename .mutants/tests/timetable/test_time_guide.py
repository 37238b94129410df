"""The table of docs/time.md says what we and others do on odd nights, and that is what is done."""

from pathlib import Path

import pytest

from benchmarks.dst_nights import NIGHTS, PROGRAMS, Fires, shown

GUIDE = (Path(__file__).parent.parent.parent / "docs" / "time.md").read_text()
FOR_BENCHMARKS_ONLY = {"APScheduler 3", "Celery beat"}  # not installed here


@pytest.mark.parametrize(
    ("name", "fires"), [program for program in PROGRAMS if program[0] not in FOR_BENCHMARKS_ONLY]
)
def test_the_guide_says_what_a_program_does(name: str, fires: Fires) -> None:
    found = [shown(night, fires) or "nothing" for night in NIGHTS]

    assert f"| {name} | {' | '.join(found)} |\n" in GUIDE


def test_the_guide_shows_each_night_and_each_program() -> None:
    assert f"| | {' | '.join(night.title for night in NIGHTS)} |\n" in GUIDE
    assert all(f"\n| {name} | " in GUIDE for name, _ in PROGRAMS)
