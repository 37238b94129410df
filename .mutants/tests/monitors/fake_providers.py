"""Servers that behave as the documentation of healthchecks.io, Cronitor and Sentry Crons says.

Times are in seconds since 1970 and are given by the test. An alarm is (slug, when).
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from cronsim import CronSim

from clock.monitors.providers import Request
from clock.monitors.sender import Refused


@dataclass
class Check:
    """A monitor: a cron expression in a zone, or a period; overdue `grace` seconds after the expected ping."""

    cron: str
    zone: str
    seconds: int
    grace: float
    max_runtime: float
    last: float | None = None
    started: dict[str, float] = field(default_factory=dict)
    is_down: bool = False
    _deadline: float | None = None
    _known_for: float | None = None

    def deadline(self) -> float | None:
        """When the next ping is overdue."""
        if self.last != self._known_for:
            self._known_for = self.last
            self._deadline = None if self.last is None else self._after(self.last)
        return self._deadline

    def _after(self, last: float) -> float:
        if not self.cron:
            return last + self.seconds + self.grace
        at = datetime.fromtimestamp(last, UTC).astimezone(ZoneInfo(self.zone))
        return next(CronSim(self.cron, at)).timestamp() + self.grace


class FakeProviders:
    """All three, and a webhook, behind one function that takes requests."""

    def __init__(self) -> None:
        self.now = 0.0
        self.checks: dict[tuple[str, str], Check] = {}
        self.alarms: list[tuple[str, str, float]] = []  # provider, slug, when
        self.seen: list[tuple[str, str, str]] = []  # provider, slug, state
        self.posted: list[dict[str, Any]] = []

    def receive(self, request: Request) -> None:
        """Answer a request. Raises Refused with the status that the documentation names."""
        parts = urlsplit(request.url)
        host, path = parts.hostname or "", parts.path
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        body = json.loads(request.body) if (request.headers or {}).get("Content-Type") else {}
        if host == "hc-ping.com":
            self._healthchecks_ping(path, query)
        elif host == "healthchecks.io":
            self._healthchecks_check(path, request, body)
        elif host == "cronitor.link":
            self._cronitor_ping(path, query)
        elif host == "cronitor.io":
            self._cronitor_monitor(path, request, body)
        elif host == "sentry.invalid":
            self._sentry(path, body)
        else:
            self.posted.append(body)

    def pass_time(self, now: float) -> None:
        """Raise an alarm for each monitor whose deadline has passed by `now`."""
        self.now = now
        for (provider, slug), check in self.checks.items():
            deadlines = [check.deadline(), *(at + check.max_runtime for at in check.started.values())]
            over = [at for at in deadlines if at is not None and at < now]
            if over and not check.is_down:
                check.is_down = True
                self.alarms.append((provider, slug, min(over)))

    def _healthchecks_check(self, path: str, request: Request, body: dict[str, Any]) -> None:
        if path != "/api/v3/checks/" or (request.headers or {}).get("X-Api-Key") != "api-key":
            raise Refused("HTTP 401")
        if ("schedule" in body) == ("timeout" in body) or not 60 <= body["grace"] <= 31_536_000:
            raise Refused("HTTP 400")
        assert body["unique"] == ["slug"]
        grace = float(body["grace"])
        self._define(
            "healthchecks", body["slug"], body.get("schedule"), body.get("tz"), body.get("timeout"), grace, grace
        )

    def _healthchecks_ping(self, path: str, query: dict[str, str]) -> None:
        _, key, slug, *end = path.split("/")
        UUID(query["rid"])
        if key != "ping-key":
            raise Refused("HTTP 404")
        state = {"start": "start", "fail": "failure", "": "success"}[end[0] if end else ""]
        self._ping("healthchecks", slug, state, query["rid"])

    def _cronitor_monitor(self, path: str, request: Request, body: dict[str, Any]) -> None:
        login = base64.b64encode(b"cronitor-key:").decode()
        if path != "/api/monitors" or (request.headers or {}).get("Authorization") != f"Basic {login}":
            raise Refused("HTTP 403")
        [one] = body["monitors"]
        assert (request.method, one["type"]) == ("PUT", "job")
        words = one["schedule"].split()
        is_period = words[0] == "every"
        self._define(
            "cronitor", one["key"], None if is_period else one["schedule"], one["timezone"],
            int(words[1]) if is_period else None, one["grace_seconds"], float(one["assertions"][0].split()[2]),
        )  # fmt: skip

    def _cronitor_ping(self, path: str, query: dict[str, str]) -> None:
        _, _, key, slug = path.split("/")
        if key != "cronitor-key":
            raise Refused("HTTP 403")
        state = {"run": "start", "complete": "success", "fail": "failure"}[query["state"]]
        self._ping("cronitor", slug, state, query["series"])

    def _sentry(self, path: str, body: dict[str, Any]) -> None:
        _, _, project, _, slug, key, _ = path.split("/")
        if (project, key) != ("12", "public"):
            raise Refused("HTTP 403")
        assert body["status"] in ("in_progress", "ok", "error")
        if config := body.get("monitor_config"):
            schedule = config["schedule"]
            is_cron = schedule["type"] == "crontab"
            self._define(
                "sentry", slug, schedule["value"] if is_cron else None, config["timezone"],
                None if is_cron else schedule["value"] * 60,
                config["checkin_margin"] * 60, config["max_runtime"] * 60,
            )  # fmt: skip
            return
        UUID(body["check_in_id"])
        state = {"in_progress": "start", "ok": "success", "error": "failure"}[body["status"]]
        self._ping("sentry", slug, state, body["check_in_id"])

    def _define(
        self,
        provider: str,
        slug: str,
        cron: str | None,
        zone: str | None,
        seconds: int | None,
        grace: float,
        run: float,
    ) -> None:
        self.checks[provider, slug] = Check(cron or "", zone or "UTC", seconds or 0, grace, run, self.now)

    def _ping(self, provider: str, slug: str, state: str, run: str) -> None:
        if (provider, slug) not in self.checks:
            raise Refused("HTTP 404")
        check = self.checks[provider, slug]
        self.seen.append((provider, slug, state))
        if state == "start":
            check.started[run] = self.now
            if provider != "healthchecks":
                check.last = self.now
            return
        check.started.pop(run, None)
        check.last = self.now
        check.is_down = state == "failure"
        if check.is_down:
            self.alarms.append((provider, slug, self.now))
