"""CPU that `import clock` costs beside `import redis`, in fresh processes: as a ratio, and in ms.

A web process imports both. The limit is 60 ms of a machine that imports redis in 150 ms of CPU: a ratio of 0.4.
"""

from __future__ import annotations

import resource
import subprocess
import sys

ROUNDS = 10  # the fastest counts: others were disturbed
LIMIT = 0.4


def cpu_ms(code: str) -> float:
    """CPU of a process that runs `code`, the fastest of some."""
    return min(_once(code) for _ in range(ROUNDS))


def _once(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def main() -> None:
    """Print the figures."""
    bare = cpu_ms("pass")
    redis = cpu_ms("import redis") - bare
    for words in ("from clock import Job", "from clock import Job, every"):
        more = cpu_ms(f"import redis; {words}") - bare - redis
        print(f"{words:<30} {more:6.0f} ms more than import redis ({redis:.0f} ms): ratio {more / redis:.2f}")
    print(f"limit for a process that pushes: {LIMIT}")


if __name__ == "__main__":
    main()
