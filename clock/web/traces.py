"""Links from a job to its trace, at the address that the environment variable `CLOCK_TRACE_URL` gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from clock.errors import ConfigurationError

VARIABLE = "CLOCK_TRACE_URL"
PLACE = "{trace_id}"
#: W3C's header: version, trace id, parent, flags.
TRACE_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def trace_url_in(environ: Mapping[str, str]) -> str:
    """The address of a trace with `{trace_id}` in it; empty: not set. Raises ConfigurationError."""
    url = environ.get(VARIABLE, "").strip()
    if not url:
        return ""
    try:
        is_right = urlsplit(url).scheme in ("http", "https") and bool(urlsplit(url).netloc) and PLACE in url
    except ValueError:
        is_right = False
    if not is_right:
        raise ConfigurationError(f"{VARIABLE} is {url!r}; write https://traces.example.com/trace/{PLACE}")
    return url


def trace_of(payload: Mapping[str, object]) -> str:
    """The id of a payload's trace; empty: it has none, or an invalid one."""
    found = TRACE_PARENT.fullmatch(str(payload.get("traceparent", "")))
    return found[1] if found else ""
