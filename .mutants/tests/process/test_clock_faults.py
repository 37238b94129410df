"""Every due instant is enqueued exactly once, whatever happens to the clocks and to Redis."""

import random
from pathlib import Path

import pytest

from benchmarks.faults.clock import run

pytestmark = [pytest.mark.process, pytest.mark.slow]

SECONDS = 40  # the long form is `python -m benchmarks.faults.clock`


def test_three_clocks_killed_stopped_cut_off_and_misled_enqueue_each_due_instant_once(tmp_path: Path) -> None:
    seed = random.randrange(10**6)  # noqa: S311  # faults, no secrets

    tally = run(tmp_path, SECONDS, seed)

    assert tally.is_perfect, f"seed {seed}: {tally}\n{[*tally.lost, *tally.doubled, *tally.unrecorded][:10]}"
    assert tally.faults.total() >= SECONDS / 4
