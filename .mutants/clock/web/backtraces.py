"""The traceback in a failed job's payload, clock's or Sidekiq's."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode
from collections.abc import Mapping

LONGEST_BYTES = 200_000  # unpacked; a compressed text may hold any amount


def backtrace(payload: Mapping[str, object]) -> str:
    """The lines of `error_backtrace`; empty if it is missing or invalid.

    Sidekiq writes a list, or, since 5.0, that list as JSON, compressed and in Base64 (`job_util.rb`).
    """
    found = payload.get("error_backtrace")
    if isinstance(found, str):
        found = _unpacked(found)
    return "\n".join(map(str, found)) if isinstance(found, list) else ""


def _unpacked(text: str) -> object:
    try:
        packed = b64decode(text, validate=False)
        return json.loads(zlib.decompressobj().decompress(packed, LONGEST_BYTES))
    except (ValueError, zlib.error, RecursionError):
        return None
