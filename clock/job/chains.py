"""The process's two chains of middleware, with the package's own in them."""

from __future__ import annotations

from clock.job.expiry import drop_stale, note_expiry
from clock.job.metrics import measure
from clock.job.middleware import Chain, ClientMiddleware, ServerMiddleware
from clock.job.tags import log_tags
from clock.job.time_limit import limit_time

client_middleware: Chain[ClientMiddleware] = Chain(note_expiry)
server_middleware: Chain[ServerMiddleware] = Chain(measure, log_tags, drop_stale, limit_time)
