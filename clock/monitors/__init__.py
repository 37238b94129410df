"""Reports to monitors: healthchecks.io, Cronitor, Sentry Crons, webhooks."""

from collections.abc import Mapping

#: The environment variables that configure a provider.
VARIABLES = ("HEALTHCHECKS_PING_KEY", "CRONITOR_API_KEY", "CLOCK_SENTRY_CRONS_DSN", "CLOCK_MONITOR_WEBHOOK")


def are_configured(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a provider. The code of providers is loaded only then."""
    return any(environ.get(name) for name in VARIABLES)
