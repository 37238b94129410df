"""What a namespace and shards cost, and that they cost nothing if they are not used: all in one run.

    python -m benchmarks.setups [--rounds 15] [--only SETUP] [--before FOLDER]

Each round measures each setup once, in a random order, in a process of its own on an empty server: a push, a job
of a bulk push, a job that a worker runs, a due instant that the clock commits with its job, and how late a run's
job arrives. The figure is the minimum of all rounds: other programs of the machine change it least. All but the
lateness is CPU time. FOLDER is a checkout of an older version, to be compared: git worktree add FOLDER COMMIT.
The result is the table of docs/scaling.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from redis import Redis

from benchmarks.workers.running import server

ROOT = Path(__file__).parent.parent
PROBE = Path(__file__).parent / "workers" / "probe.py"
PLAIN = "plain"
WITHIN = 1.03  # what a plain server may cost more than before


def setups(before: Path | None) -> dict[str, tuple[Path, Mapping[str, str]]]:
    """Name -> folder of the version, and its environment."""
    older = {"before": (before, dict[str, str]())} if before else {}
    return {
        PLAIN: (ROOT, {}),
        "plain again": (ROOT, {}),
        **older,
        "CLOCK_SHARDS=1": (ROOT, {"CLOCK_SHARDS": "1"}),
        "a namespace": (ROOT, {"CLOCK_NAMESPACE": "shop"}),
        "a namespace, 2 shards": (ROOT, {"CLOCK_NAMESPACE": "shop", "CLOCK_SHARDS": "2"}),
    }


def probe(redis: Redis, folder: Path, environ: Mapping[str, str]) -> dict[str, float]:
    """The figures of one setup: what was measured -> microseconds."""
    redis.flushall()
    port = redis.connection_pool.connection_kwargs["port"]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CLOCK_")}
    environ = {**plain, **environ, "REDIS_URL": f"redis://127.0.0.1:{port}/0", "PYTHONPATH": str(folder)}
    ran = subprocess.run(
        [sys.executable, str(PROBE)], cwd=folder, env=environ, capture_output=True, text=True, timeout=180
    )
    if ran.returncode:
        raise SystemExit(ran.stderr)
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--only", action="append", help="a setup; may be repeated. The plain one is always measured"
    )
    parser.add_argument("--before", type=Path)
    given = parser.parse_args()
    every = setups(given.before and given.before.resolve())
    chosen = {name: how for name, how in every.items() if not given.only or name in (PLAIN, *given.only)}
    least: dict[str, dict[str, float]] = defaultdict(dict)
    with server() as redis:
        for _ in range(given.rounds):
            for name in random.sample([*chosen], len(chosen)):
                for what, cost in probe(redis, *chosen[name]).items():
                    least[name][what] = min(cost, least[name].get(what, cost))
    show(
        {name: least[name] for name in chosen}
    )  # the columns in their order: benchmarks/figures.json finds them by it
    if given.before:
        worst = max(least[PLAIN][what] / cost for what, cost in least["before"].items())
        print(f"a plain server costs at most {worst:.3f} times as much as before (goal: {WITHIN})")


def show(least: Mapping[str, Mapping[str, float]]) -> None:
    """Print the microseconds of each setup, and their ratio to the plain one, as a table of Markdown."""
    names = [name for name in least if name != PLAIN]
    print(f"| | {PLAIN} | {' | '.join(names)} |")
    print(f"|{' --- |' * (len(names) + 2)}")
    for what, plain in least[PLAIN].items():
        others = [f"{_time(least[name][what])} ({least[name][what] / plain:.2f})" for name in names]
        print(f"| {what} | {_time(plain)} | {' | '.join(others)} |")


def _time(microseconds: float) -> str:
    return f"{microseconds:.1f} µs" if microseconds < 1_000 else f"{microseconds / 1_000:.1f} ms"


if __name__ == "__main__":
    main()
