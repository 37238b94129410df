"""Which release of the application a clock runs, and which of two is the newer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Release:
    """A release's name, and its rank: of two different releases the one with the higher rank leads."""

    name: str
    rank: int


def release_of(clock_file: Path, *, environ: Mapping[str, str], started_ms: int) -> Release:
    """The release by `HEROKU_RELEASE_VERSION` or `CLOCK_RELEASE`, else by the clock file's content.

    A name that is `v` and a number, or a number of at most six digits, ranks by it; any other by when this process
    started (milliseconds since 1970), as does the content's hash. Seven digits may be a commit's abbreviated hash.

    >>> release_of(Path("lib/clock.py"), environ={"HEROKU_RELEASE_VERSION": "v42"}, started_ms=0)
    Release(name='v42', rank=42)
    """
    name = environ.get("HEROKU_RELEASE_VERSION") or environ.get("CLOCK_RELEASE")
    if not name:
        return Release(hashlib.blake2b(clock_file.read_bytes(), digest_size=6).hexdigest(), started_ms)
    number = re.fullmatch(r"v(\d{1,15})|(\d{1,6})", name)
    return Release(name, int(number[1] or number[2]) if number else started_ms)
