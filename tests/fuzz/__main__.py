"""The long form of fuzzing: `python -m tests.fuzz READER --seconds 3600`; without READER, all of them in turn.

It uses atheris (coverage-guided) if it is installed, or else random changes of valid data. It stops at the first
data that a reader must not fail on, and prints it.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import random
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "build" / "fuzz"


def fuzz_at_random(name: str, seconds: float) -> int:
    """Read changed data for so long. Returns how many texts were read."""
    from tests.fuzz.readers import READERS, check

    until, count, rng = time.monotonic() + seconds, 0, random.Random(name)  # noqa: S311  # no secret
    corpus = list(READERS[name].seeds)
    while time.monotonic() < until:
        data = bytearray(rng.choice(corpus))
        for _ in range(rng.randint(1, 6)):
            place = rng.randint(0, len(data))
            other = rng.choice(corpus)
            start = rng.randint(0, len(other))
            data[place : place + rng.choice((0, 0, 1, 3))] = rng.choice(
                (bytes([rng.randrange(256)]), other[start : start + rng.randint(1, 12)])
            )
        try:
            check(name, bytes(data[:4_000]))
        except BaseException:
            print(f"{name} fails on {bytes(data)!r}")  # noqa: T201  # for whoever runs it
            raise
        count += 1
    return count


def fuzz_with_atheris(name: str, seconds: int) -> None:
    """Read data that reaches new code, for so long; the process ends. What it finds is kept in build/fuzz."""
    import atheris  # type: ignore[import-untyped]  # ships no types, and is optional

    with atheris.instrument_imports(include=["clock"]):
        readers = importlib.import_module("tests.fuzz.readers")
    corpus = FOLDER / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(readers.READERS[name].seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    limits = [f"-max_total_time={seconds}", "-max_len=4000", "-timeout=30", "-print_final_stats=1"]
    atheris.Setup(
        [sys.argv[0], *limits, f"-artifact_prefix={FOLDER}/{name}.", str(corpus)],
        lambda data: readers.check(name, data),
    )
    atheris.Fuzz()


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", nargs="?")
    parser.add_argument("--seconds", type=int, default=3_600)
    parser.add_argument("--at-random", action="store_true", help="do not use atheris")
    options = parser.parse_args()
    if options.reader is None:
        from tests.fuzz.readers import READERS

        for name in READERS:
            subprocess.run([sys.executable, "-m", "tests.fuzz", name, *sys.argv[1:]], check=True)
    elif importlib.util.find_spec("atheris") and not options.at_random:
        fuzz_with_atheris(options.reader, options.seconds)
    else:
        print(f"{options.reader}: {fuzz_at_random(options.reader, options.seconds)} texts, no failure")  # noqa: T201  # for whoever runs it


if __name__ == "__main__":
    main()
