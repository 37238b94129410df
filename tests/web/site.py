"""A served dashboard with a month of history, and a browser. Every wait has a limit, so no test can hang."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from clock.clocks import SystemClock, to_ms
from clock.store.jobs import deploy_marks, job_metrics
from clock.store.keys import CHANGES, LEASE
from clock.store.ledger import lateness, timetable_changes
from clock.store.ledger.clock_register import ClockRegister
from clock.web import Access, Dashboard, Source
from tests.web.month import lived_month

PATIENCE_MS = 60_000
PATIENCE_SECONDS = PATIENCE_MS / 1000
#: Without a graphics card, its emulation would use more processor time than the pages.
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-software-rasterizer")


@dataclass
class Site:
    """A served dashboard and a browser; `complaints` are errors of pages and requests to other hosts."""

    url: str
    browser: Any
    complaints: list[str] = field(default_factory=list)
    _contexts: list[Any] = field(default_factory=list)

    def page(self, **how: Any) -> Any:
        """A new page of the browser, in its own context; nothing that it is asked to do waits for ever."""
        context = self.browser.new_context(**how)
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.set_default_navigation_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("request", lambda request: self._note(request.url))
        return page

    def close_pages(self) -> None:
        """Close all pages: an open page requests itself every few seconds."""
        while self._contexts:
            self._contexts.pop().close()

    def _note(self, url: str) -> None:
        if not url.startswith(self.url):
            self.complaints.append(f"request to {url}")


@contextmanager
def served() -> Iterator[Site]:
    """The dashboard of a month, in Debian's Chromium. Skips the test if a part is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with pytest.MonkeyPatch.context() as patch, _server() as url, playwright.sync_playwright() as started:
        patch.setenv("CLOCK_RELEASE", "v42")  # the clock file of the month is not on disk
        browser = started.chromium.launch(executable_path=chromium, args=ARGUMENTS, timeout=PATIENCE_MS)
        try:
            yield Site(url, browser)
        finally:
            browser.close()


@contextmanager
def _server() -> Iterator[str]:
    """The address of a dashboard with a month of history."""
    uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    world, timetable = lived_month()
    now = world.clock.now()
    _note_releases(world.redis, {event.name: event.declaration for event in timetable.events}, now)
    _add_figures(world.redis, now)
    _add_clock(world.redis, now, len(timetable.events))
    source = Source(world.redis, timetable, world.clock, place="redis://localhost:6379/0")
    dashboard = Dashboard(source, access=lambda request: Access.everything("ana"))
    config = uvicorn.Config(dashboard.asgi, port=0, log_level="error", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        _wait_for(server)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        world.close()


def _wait_for(server: Any) -> None:
    clock, never = SystemClock(), threading.Event()
    end = clock.monotonic() + PATIENCE_SECONDS
    while not server.started:
        assert clock.monotonic() < end, "the dashboard did not start"
        clock.wait(never, 0.05)


def _note_releases(redis: Any, declarations: dict[str, str], now: datetime) -> None:
    """Two releases: the second one changed a rule, and added and removed an event. And a deploy mark."""
    before = {name: words for name, words in declarations.items() if name != "backups"}
    before |= {"reports.usage": "every 12 hours in Europe/Berlin", "invoices.old": "every monday at 07:00"}
    timetable_changes.note(redis, "v41", "web-1", before, {})
    timetable_changes.note(redis, "v42", "web-2", declarations, {})
    deploy_marks.mark(redis, "3f9c2d1 Faster digests", now - timedelta(hours=16))
    entries = [fields for _, fields in redis.xrange(CHANGES)]
    redis.delete(CHANGES)
    for fields, days in zip(entries, (20, 0.3), strict=True):
        redis.xadd(CHANGES, fields, id=f"{to_ms(now - timedelta(days=days))}-0")


def _add_clock(redis: Any, now: datetime, events: int) -> None:
    """A clock that leads: the world's own one is not in the register."""
    identity = "web-2:7:abcdef"
    told = {"host": "web-2", "release": "v42", "events": events, "leads": True, "last_round": to_ms(now)}
    ClockRegister(redis).beat(identity, told, now=now, seconds=3_600)
    redis.hset(LEASE, mapping={"identity": identity, "release": "v42", "rank": 42})


def _add_figures(redis: Any, now: datetime) -> None:
    """Figures of a day, as workers write them, with a peak at noon and failures after the release."""
    for slot in range(144):
        at = now - timedelta(minutes=10 * slot)
        busy = 20 + 60 * abs(12 - at.hour) // 12 + slot * 7 % 13
        histogram = [0] * len(job_metrics.BUCKETS_MS)
        histogram[4], histogram[6] = busy // 2, busy // 4
        tallies = {
            "RemindPupilsJob": job_metrics.Tally(busy, 3 if slot < 40 else 0, ms=busy * 90.0, histogram=histogram),
            "ChargeBuyerJob": job_metrics.Tally(busy // 9, busy // 30, ms=busy * 400.0),
            "BackUpJob": job_metrics.Tally(1, ms=2_700_000.0),
        }
        job_metrics.add(redis, tallies, now=at)
        lateness.add(redis, _lateness(slot), now=at)


def _lateness(slot: int) -> lateness.Lateness:
    """Runs that start within some ms, and a busy hour after the release."""
    made = lateness.Lateness()
    for run in range(20):
        made.add(
            4 + slot * 7 % 9 + run + (run**3 if 36 < slot < 44 else 0) + (90_000 if slot == 38 and run > 18 else 0)
        )
    return made
