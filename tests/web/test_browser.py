"""The dashboard in a real browser, with a month of real history: accessible, fitting, and without JavaScript."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from clock.clocks import SystemClock
from clock.web import Access, Dashboard, Source
from tests.web.month import lived_month

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed")

pytestmark = [pytest.mark.slow, pytest.mark.process]

PATIENCE_SECONDS = 60.0
PAGES = (
    *("/", "/?state=failing", "/?q=nothing", "/timeline", "/event?name=daily.digest", "/queues", "/busy"),
    *("/why?name=daily.digest&at=2026-03-29", "/why?name=daily.digest&at=2027-01-01", "/queue?name=default"),
    *(
        "/scheduled",
        "/retries",
        "/dead",
        "/dead?class=Charge",
        "/processes",
        "/redis",
        "/audit",
        "/display",
        "/help",
    ),
    *(
        "/act/pause?event=backups&event=daily.digest",
        "/act/fire?event=backups",
        "/act/delete_jobs?in=dead",
        "/nothing",
    ),
)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
VIEWS = [("light", 1400), ("dark", 360)]


@dataclass
class Site:
    """A served dashboard and a browser; `complaints` are errors of pages and requests to other hosts."""

    url: str
    browser: Any
    complaints: list[str] = field(default_factory=list)

    def page(self, **how: Any) -> Any:
        """A new page of the browser."""
        page = self.browser.new_context(**how).new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("request", lambda request: self._note(request.url))
        return page

    def _note(self, url: str) -> None:
        if not url.startswith(self.url):
            self.complaints.append(f"request to {url}")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The dashboard of a month, in Debian's Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    world, timetable = lived_month()
    source = Source(world.redis, timetable, world.clock, place="redis://localhost:6379/0")
    dashboard = Dashboard(source, access=lambda request: Access.everything("ana"))
    server = uvicorn.Server(uvicorn.Config(dashboard.asgi, port=0, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    _wait_for(server)
    port = server.servers[0].sockets[0].getsockname()[1]
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield Site(f"http://127.0.0.1:{port}", browser)
        browser.close()
    server.should_exit = True
    thread.join(PATIENCE_SECONDS)
    world.close()


def _wait_for(server: Any) -> None:
    clock, never = SystemClock(), threading.Event()
    end = clock.monotonic() + PATIENCE_SECONDS
    while not server.started:
        assert clock.monotonic() < end, "the dashboard did not start"
        clock.wait(never, 0.05)


def _axe() -> str:
    package = Path(str(resources.files("axe_playwright_python")))
    return next(package.glob("**/axe.min.js")).read_text()


@pytest.mark.parametrize(("theme", "width"), VIEWS)
def test_every_page_is_accessible_and_fits_its_window(site: Site, theme: str, width: int) -> None:
    page = site.page(viewport={"width": width, "height": 900}, color_scheme=theme)
    axe, found = _axe(), []

    for path in PAGES:
        page.goto(site.url + path)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{path} scrolls sideways")
        page.evaluate(axe)
        result = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
        found += [f"{path}: {one['id']}: {one['nodes'][0]['html'][:200]}" for one in result["violations"]]

    assert not found
    assert not site.complaints


def test_an_event_is_paused_and_resumed_without_javascript(site: Site) -> None:
    page = site.page(java_script_enabled=False)

    page.goto(f"{site.url}/event?name=backups")
    page.get_by_role("link", name="Pause").click()
    page.get_by_label("Reason").fill("disk is replaced")
    page.get_by_role("button", name="Pause").click()

    assert page.get_by_role("status").inner_text() == "Paused 1 event."
    assert "paused by ana: disk is replaced" in page.inner_text("main")

    page.get_by_role("link", name="Resume").click()
    page.get_by_role("button", name="Resume").click()

    assert page.get_by_role("status").inner_text() == "Resumed 1 event."


def test_why_answers_without_javascript_for_a_time_that_did_not_exist(site: Site) -> None:
    page = site.page(java_script_enabled=False)

    page.goto(f"{site.url}/event?name=daily.digest")
    page.get_by_role("textbox", name="At").fill("2026-03-29 02:30")
    page.get_by_role("button", name="Explain").click()

    assert "does not exist; the clocks were set forward" in page.inner_text("main")
    assert "did not run: missed" in page.inner_text("main")


def test_dead_jobs_are_searched_and_retried_without_javascript(site: Site) -> None:
    page = site.page(java_script_enabled=False)

    page.goto(f"{site.url}/dead")
    page.get_by_label("Class contains").fill("ChargeCard")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Retry all that match").click()
    page.get_by_role("button", name="Retry now").click()

    assert "jobs." in page.get_by_role("status").inner_text()
    assert "No job matches" in page.inner_text("main")


def test_keys_reach_the_search_and_the_rows(site: Site) -> None:
    page = site.page()
    page.goto(site.url)

    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"

    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/event?name=backups")


def test_a_page_refreshes_itself(site: Site) -> None:
    page = site.page()
    page.goto(f"{site.url}/audit")
    page.evaluate("document.querySelector('#main h1').dataset.old = 'yes'")

    with page.expect_response(
        lambda response: response.url.endswith("/audit"), timeout=PATIENCE_SECONDS * 1000
    ) as got:
        pass

    assert got.value.status in (200, 304)
    assert not site.complaints
