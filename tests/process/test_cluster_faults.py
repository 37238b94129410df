"""Faults of a cluster on hosts of its own, in a short form; `benchmarks/faults/cluster.py` runs it for an hour."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.faults.hosts import missing
from tests.patience import PATIENCE_SECONDS

pytestmark = [pytest.mark.process, pytest.mark.slow]

FAULTS = 3  # a fail-over, late packets, a node that is cut off from the others


def test_a_cluster_with_faults_loses_no_durable_push_and_no_run(repository: Path) -> None:
    if lack := missing():
        pytest.skip(lack)
    words = ["-m", "benchmarks.faults.cluster", "--hosts", "--shards", "2", "--durable", "1"]
    environ = {**os.environ, "CLOCK_TEST_PATIENCE": str(PATIENCE_SECONDS)}

    ran = subprocess.run(
        [sys.executable, *words, "--faults", str(FAULTS), "--seed", "3"],
        cwd=repository,
        env=environ,
        capture_output=True,
        text=True,
        timeout=400,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"pushes: [1-9]\d* confirmed, 0 of them lost", ran.stdout)
    assert re.search(r"runs of the clock: [1-9]\d*, 0 missed, 0 decided twice", ran.stdout)
