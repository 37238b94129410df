"""The name and version of the client library that each connection sends to the server."""

from __future__ import annotations

from functools import cache

import redis


@cache
def about_library() -> dict[str, object]:
    """Options of a connection: the library's name and version.

    Without them the library reads its version from a file for each connection that it opens. That fails when a job
    has used up the process's file descriptors, and the connection is then missing from the pool for good.
    """
    kind = getattr(redis, "DriverInfo", None)  # older releases read their version once
    return {"driver_info": kind()} if kind else {}
