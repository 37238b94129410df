"""The facts about this machine that belong to every figure: `python -m benchmarks.workers.machine`.

`make benchmark` writes them above the figures.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    *("clockd", "redis", "hiredis", "msgspec", "apscheduler", "arq", "celery", "dramatiq", "huey", "rq", "saq"),
    *("taskiq", "tarsk-redis", "streaq", "schedule"),
)


def facts() -> Iterator[tuple[str, str]]:
    """Each fact, with its name."""
    yield "CPU", _found("/proc/cpuinfo", r"model name\s*: (.*)")
    yield "cores", str(os.cpu_count())
    yield "memory", _found("/proc/meminfo", r"MemTotal:\s*(.*)")
    yield "system", platform.platform()
    yield "load (1, 5, 15 min)", " ".join(f"{load:.2f}" for load in os.getloadavg())
    yield "Python", f"{platform.python_implementation()} {platform.python_version()}"
    for program in ("redis-server", "sidekiq"):
        yield program, _version_of(program)
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            yield package, "not installed"


def _found(file: str, pattern: str) -> str:
    path = Path(file)
    found = re.search(pattern, path.read_text()) if path.exists() else None
    return found[1] if found else "unknown"


def _version_of(program: str) -> str:
    if shutil.which(program) is None:
        return "not installed"
    ran = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r"\d+\.\d+\.\d+", ran.stdout)
    return found[0] if found else "unknown"


if __name__ == "__main__":
    print("| | |\n| --- | --- |")
    for name, fact in facts():
        print(f"| {name} | {fact} |")
