import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import getpagesize

import pytest

from clock.gc_pause import MANY, return_memory


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize() / 2**20


@contextmanager
def freed_between_objects_that_live_on(mb: int) -> Iterator[None]:
    """Free so many MB, of which each part is followed by an object that lives on."""
    parts = [(bytearray(20_000), bytearray(600)) for _ in range(mb * 50)]
    kept = [small for _, small in parts]
    parts.clear()
    yield
    kept.clear()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the function")
def test_memory_that_was_freed_goes_back_to_the_system() -> None:
    with freed_between_objects_that_live_on(40):
        before = resident_mb()
        return_memory(MANY - 1)
        few = resident_mb()
        return_memory(MANY)

        assert few > before - 5
        assert resident_mb() < before - 10
