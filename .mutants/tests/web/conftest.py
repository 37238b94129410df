from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from redis import Redis

from clock.rehearsal.fake_clock import FakeClock
from clock.timetable import Timetable, load
from clock.web import Access, Dashboard, Request, Response, Source

collect_ignore = ["django_login.py"]  # a program that sets Django up for its own process

NOW = datetime(2026, 3, 29, 11, tzinfo=UTC)
EVERYTHING = Access.everything("ana")
CLOCK_FILE = """
from clock import configure, every
from tests.web.month_jobs import RemindPupilsJob
configure(tz="Europe/Berlin")
every().day.at("06:00").do(RemindPupilsJob, "due").named("reminders")
every(10).minutes.do(print).named("ticks")
"""

SAME_SITE = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}


@dataclass
class Visitor:
    """Somebody who visits a dashboard; `access` is what the host's callback answers."""

    dashboard: Dashboard
    access: Access | None

    def get(self, path: str, headers: Any = None, **query: object) -> Response:
        """The response to a visit of a page."""
        return self.dashboard.handle(Request("GET", path, urlencode(query), headers or {}))

    def page(self, path: str, **query: object) -> str:
        """The HTML of a page that exists."""
        found = self.get(path, **query)
        assert found.status == 200, found.body.decode()
        return found.body.decode()

    def text(self, path: str, **query: object) -> str:
        """The words of a page, without its markup."""
        return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", self.page(path, **query)).split()))

    def json(self, path: str, **query: object) -> Any:
        """The JSON twin of a page."""
        found = self.get(path, {"accept": "application/json"}, **query)
        assert found.content_type == "application/json", found.body.decode()
        return msgspec.json.decode(found.body)

    def post(self, path: str, headers: Any = None, **form: object) -> Response:
        """The response to a form that a page of the dashboard sent."""
        body = urlencode(form, doseq=True).encode()
        return self.dashboard.handle(Request("POST", path, "", SAME_SITE if headers is None else headers, body))


@pytest.fixture
def timetable(tmp_path: Path) -> Timetable:
    """Two events in Berlin's time."""
    file = tmp_path / "clock.py"
    file.write_text(CLOCK_FILE)
    return load(file, root=Path.cwd())


@pytest.fixture
def visit(redis: Redis, timetable: Timetable) -> Callable[..., Visitor]:
    """Makes a visitor with the given access: everything, if none is given."""

    def make(access: Access | None = EVERYTHING, **options: Any) -> Visitor:
        source = Source(redis, timetable, FakeClock(NOW), place="redis://localhost:6379/0")
        return Visitor(Dashboard(source, access=lambda request: access, **options), access)

    return make


@pytest.fixture
def ana(visit: Callable[..., Visitor]) -> Visitor:
    """Somebody who may do everything."""
    return visit()
