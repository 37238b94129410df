"""The providers of monitors: the HTTP requests of each, for a report and for the monitor's definition.

- healthchecks.io: pings by slug (`/start`, `/fail`, `rid`), Management API v3;
- Cronitor: Telemetry API (`state`, `series`), Monitor API;
- Sentry Crons: check-ins by HTTP, which also define the monitor (`monitor_config`);
- a webhook: each report as JSON.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlencode, urlsplit
from uuid import UUID

from clock.errors import ConfigurationError
from clock.timetable import Monitor, MonitoredSchedule

State = Literal["start", "success", "failure", "miss"]


@dataclass(frozen=True, slots=True)
class Report:
    """A run's start or end. `run` is the same for all reports of a run; `message` is the reason, for people.

    `definition` is Sentry's `monitor_config`, if it is known.
    """

    slug: str
    state: State
    run: str
    event: str = ""
    due_ms: int | None = None
    message: str = ""
    definition: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request. Its URL may contain a key."""

    method: str
    url: str
    body: bytes = b""
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Healthchecks:
    """healthchecks.io, or your own server. `ping_url` has the ping key at its end."""

    ping_url: str
    api_url: str
    api_key: str
    name: str = "healthchecks"

    def report(self, report: Report) -> Request:
        """A ping: `/start`, `/fail`, or success; `rid` joins those of a run."""
        end = {"start": "/start", "success": "", "failure": "/fail", "miss": "/fail"}[report.state]
        url = f"{self.ping_url}/{report.slug}{end}?{urlencode({'rid': str(_uuid(report.run))})}"
        return Request("POST", url, report.message.encode())

    def define(self, monitor: Monitor, event: str, schedule: MonitoredSchedule) -> Request | None:
        """Create the check, or update the one with this slug. None without an API key.

        Its grace time is also the longest time between the start and the end of a run.
        """
        if not self.api_key:
            return None
        cron = {"schedule": schedule.cron, "tz": schedule.zone}
        values = {
            "name": event,
            "slug": monitor.slug,
            "grace": int(max(monitor.grace, monitor.max_runtime).total_seconds()),
            "unique": ["slug"],
            **(cron if schedule.cron else {"timeout": schedule.seconds}),
        }
        headers = {"X-Api-Key": self.api_key}
        return _json("POST", f"{self.api_url}/api/v3/checks/", values, headers)


@dataclass(frozen=True, slots=True)
class Cronitor:
    """Cronitor."""

    api_key: str
    ping_url: str = "https://cronitor.link"
    api_url: str = "https://cronitor.io"
    name: str = "cronitor"

    def report(self, report: Report) -> Request:
        """A telemetry event; `series` joins those of a run."""
        state = {"start": "run", "success": "complete", "failure": "fail", "miss": "fail"}[report.state]
        query = {"state": state, "series": report.run, "message": report.message[:2000]}
        url = f"{self.ping_url}/p/{self.api_key}/{report.slug}?{urlencode(query)}"
        return Request("GET", url)

    def define(self, monitor: Monitor, event: str, schedule: MonitoredSchedule) -> Request:
        """Create or update the monitor."""
        values = {
            "key": monitor.slug,
            "type": "job",
            "name": event,
            "schedule": schedule.cron or f"every {schedule.seconds} seconds",
            "timezone": schedule.zone,
            "grace_seconds": int(monitor.grace.total_seconds()),
            "assertions": [f"metric.duration < {int(monitor.max_runtime.total_seconds())} seconds"],
        }
        login = base64.b64encode(f"{self.api_key}:".encode()).decode()
        headers = {"Authorization": f"Basic {login}"}
        url = f"{self.api_url}/api/monitors"
        return _json("PUT", url, {"monitors": [values]}, headers)


@dataclass(frozen=True, slots=True)
class SentryCrons:
    """Sentry Crons. `url` ends before the slug, `key` is the public key of the DSN."""

    url: str
    key: str
    environment: str = "production"
    name: str = "sentry"

    def report(self, report: Report) -> Request:
        """A check-in; its id joins those of a run."""
        status, run = check_in_of(report)
        return self._check_in(report.slug, {"status": status, "check_in_id": run})

    def define(self, monitor: Monitor, event: str, schedule: MonitoredSchedule) -> Request:
        """A check-in `ok` that creates or updates the monitor: it has no other call with the DSN alone."""
        values = {"status": "ok", "monitor_config": sentry_definition(monitor, schedule)}
        return self._check_in(monitor.slug, values)

    def _check_in(self, slug: str, values: Mapping[str, object]) -> Request:
        found = {**values, "environment": self.environment}
        return _json("POST", f"{self.url}/{slug}/{self.key}/", found)


def check_in_of(report: Report) -> tuple[str, str]:
    """Sentry's status of a report, and the id of its run. Sentry accepts no status `missed` from clients."""
    status = {"start": "in_progress", "success": "ok", "failure": "error", "miss": "error"}[report.state]
    return status, _uuid(report.run).hex


def sentry_definition(monitor: Monitor, schedule: MonitoredSchedule) -> dict[str, object]:
    """The `monitor_config` of a monitor for Sentry Crons."""
    interval = {"type": "interval", "value": -(-schedule.seconds // 60), "unit": "minute"}
    return {
        "schedule": {"type": "crontab", "value": schedule.cron} if schedule.cron else interval,
        "timezone": schedule.zone,
        "checkin_margin": _minutes(monitor.grace.total_seconds()),
        "max_runtime": _minutes(monitor.max_runtime.total_seconds()),
    }


@dataclass(frozen=True, slots=True)
class Webhook:
    """Each report as a POST of JSON to one URL."""

    url: str
    name: str = "webhook"

    def report(self, report: Report) -> Request:
        """The report."""
        values = {
            "monitor": report.slug,
            "state": report.state,
            "run": report.run,
            "event": report.event,
            "due_ms": report.due_ms,
            "message": report.message,
        }
        return _json("POST", self.url, values)

    def define(self, monitor: Monitor, event: str, schedule: MonitoredSchedule) -> None:
        """A webhook needs no definition."""


Provider = Healthchecks | Cronitor | SentryCrons | Webhook


def providers_in(environ: Mapping[str, str]) -> Sequence[Provider]:
    """The providers that the environment configures. Raises ConfigurationError for an invalid URL or DSN."""
    found: list[Provider] = []
    if key := environ.get("HEALTHCHECKS_PING_KEY"):
        ping = _url(environ, "HEALTHCHECKS_PING_URL", "https://hc-ping.com")
        api = _url(environ, "HEALTHCHECKS_API_URL", "https://healthchecks.io")
        found.append(Healthchecks(f"{ping}/{quote(key)}", api, environ.get("HEALTHCHECKS_API_KEY", "")))
    if key := environ.get("CRONITOR_API_KEY"):
        ping = _url(environ, "CRONITOR_PING_URL", "https://cronitor.link")
        found.append(Cronitor(quote(key), ping, _url(environ, "CRONITOR_API_URL", "https://cronitor.io")))
    if dsn := environ.get("CLOCK_SENTRY_CRONS_DSN"):
        found.append(_sentry(dsn, environ.get("SENTRY_ENVIRONMENT", "production")))
    if environ.get("CLOCK_MONITOR_WEBHOOK"):
        found.append(Webhook(_url(environ, "CLOCK_MONITOR_WEBHOOK", "")))
    return found


def _sentry(dsn: str, environment: str) -> SentryCrons:
    parts = urlsplit(dsn)
    project = parts.path.strip("/")
    if parts.scheme not in ("http", "https") or not parts.username or not project.isdigit() or not parts.hostname:
        raise ConfigurationError("CLOCK_SENTRY_CRONS_DSN is invalid; it must be like https://KEY@HOST/PROJECT")
    port = f":{parts.port}" if parts.port else ""
    return SentryCrons(f"{parts.scheme}://{parts.hostname}{port}/api/{project}/cron", parts.username, environment)


def _url(environ: Mapping[str, str], name: str, usual: str) -> str:
    url = environ.get(name) or usual
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise ConfigurationError(f"{name} is invalid; it must be an http or https URL")
    return url.rstrip("/")


def _json(method: str, url: str, values: object, headers: Mapping[str, str] | None = None) -> Request:
    body = json.dumps(values).encode()
    return Request(method, url, body, {"Content-Type": "application/json", **(headers or {})})


def _uuid(run: str) -> UUID:
    return UUID(bytes=hashlib.blake2b(run.encode(), digest_size=16).digest())


def _minutes(seconds: float) -> int:
    return max(1, -(-int(seconds) // 60))
