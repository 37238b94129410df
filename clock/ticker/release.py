"""The release of the application that a clock runs; of two releases, which one is newer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from clock.clocks import to_ms
from clock.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Release:
    """A release's name and its rank. If two releases differ, the release with the higher rank leads."""

    name: str
    rank: int


def release_of(clock_file: Path, *, environ: Mapping[str, str], started: datetime) -> Release:
    """The release by `HEROKU_RELEASE_VERSION` or `CLOCK_RELEASE`, or else by the clock file's content.

    The rank of `v` and a number, or of a number with at most six digits, is that number. Any other name, or the
    content's hash, ranks by `started`, the start of this process. Seven digits may be a commit's
    abbreviated hash. Raises ConfigurationError if the clock file was removed after its load.

    >>> from clock.clocks import from_ms
    >>> release_of(Path("lib/clock.py"), environ={"HEROKU_RELEASE_VERSION": "v42"}, started=from_ms(0))
    Release(name='v42', rank=42)
    """
    name = environ.get("HEROKU_RELEASE_VERSION") or environ.get("CLOCK_RELEASE")
    if not name:
        try:
            content = clock_file.read_bytes()
        except OSError as error:
            raise ConfigurationError(f"the clock file {clock_file} cannot be read: {error.strerror}") from error
        return Release(hashlib.blake2b(content, digest_size=6).hexdigest(), to_ms(started))
    number = re.fullmatch(r"v(\d{1,15})|(\d{1,6})", name)
    return Release(name, int(number[1] or number[2]) if number else to_ms(started))
