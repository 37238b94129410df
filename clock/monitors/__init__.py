"""Reports to monitors: healthchecks.io, Cronitor, Sentry Crons, webhooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clock.monitors.providers import Report

#: The environment variables that configure a provider.
VARIABLES = ("HEALTHCHECKS_PING_KEY", "CRONITOR_API_KEY", "CLOCK_SENTRY_CRONS_DSN", "CLOCK_MONITOR_WEBHOOK")


#: Called with each report, as the providers are: the SDK of a provider in this process.
listeners: list[Callable[[Report], object]] = []


def are_configured(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a provider, or there is a listener. If not, no provider is loaded."""
    return any(environ.get(name) for name in VARIABLES) or bool(listeners)
