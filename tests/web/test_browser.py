"""The dashboard in a real browser, with a month of real history: accessible, fitting, and without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tests.web.site import PATIENCE_MS, Site, served

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(400)]

PAGES = (
    *(
        "/",
        "/?state=failing",
        "/?q=nothing",
        "/timeline",
        "/event?name=daily.digest",
        "/queues",
        "/busy",
        "/batches",
        "/blocked",
    ),
    *(
        "/heat",
        "/forecast?slots=1",
        "/forecast",
        "/changes",
        "/metrics",
        "/metrics?span=24h&class=RemindPupilsJob",
        "/go?q=da",
    ),
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
        "/run-time",
        "/act/delete_jobs?in=dead",
        "/nothing",
    ),
)
#: The headings of panels whose content is wider than they are.
TOO_WIDE = """[...document.querySelectorAll(".panel")].filter(one => one.scrollWidth > one.clientWidth + 1)
  .map(one => one.innerText.slice(0, 40))"""
VIEWS = (("light", 1400), ("dark", 360))
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
#: A page is looked at in light at 1,400 px, and, whatever its query, once in dark at 360 px.
ALSO_SMALL = frozenset({page.split("?")[0]: page for page in PAGES}.values())

#: Parts that repeat what was looked at: further rows of a table, squares of a heat map, and the menu of each page.
REPEATED, MENU = ["tbody tr:nth-child(n+10)", ".grid rect", ".lane:nth-child(n+6)", "#zones"], ".side"
#: Runs axe and gives up after a while, since `evaluate` itself has no limit.
RUN_AXE = """([rules, left_out, most]) => Promise.race([
  axe.run({exclude: left_out.map(one => [one])},
    {runOnly: rules, resultTypes: ["violations"], selectors: false, preload: false}),
  new Promise((_, fail) => setTimeout(() => fail(new Error("axe took too long")), most)),
])"""


@pytest.fixture(scope="module")
def served_month() -> Iterator[Site]:
    """One month, one server and one browser for this module: no other test may run inside their event loop."""
    with served() as found:
        yield found


@pytest.fixture
def site(served_month: Site) -> Iterator[Site]:
    """The served month; its pages are closed after the test."""
    yield served_month
    served_month.close_pages()


def _axe() -> str:
    package = Path(str(resources.files("axe_playwright_python")))
    return next(package.glob("**/axe.min.js")).read_text()


def test_every_page_is_accessible_and_fits_its_window(site: Site) -> None:
    """Both views of a page are looked at after one navigation."""
    page = site.page(viewport={"width": 1400, "height": 900}, color_scheme="light")
    axe, found = _axe(), list[str]()

    for path in PAGES:
        page.goto(site.url + path, wait_until="domcontentloaded")
        page.evaluate(axe)
        for theme, width in VIEWS if path in ALSO_SMALL else VIEWS[:1]:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=theme)
            left_out = REPEATED if path == PAGES[0] else [*REPEATED, MENU]
            found += [f"{path} at {width} px: {fault}" for fault in _faults(page, left_out)]

    assert not found
    assert not site.complaints


def _faults(page: Any, left_out: list[str]) -> list[str]:
    sideways = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    too_wide = page.evaluate(TOO_WIDE)
    result = page.evaluate(RUN_AXE, [RULES, left_out, PATIENCE_MS])
    violations = [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in result["violations"]]
    return [*violations, *(["it scrolls sideways"] if sideways else []), *(f"too wide: {one}" for one in too_wide)]


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


def test_runs_that_were_missed_are_backfilled_without_javascript_after_a_dry_run(site: Site) -> None:
    page = site.page(java_script_enabled=False)

    page.goto(f"{site.url}/event?name=feeds.refresh")
    page.get_by_label("From").fill("2026-03-29")
    page.get_by_role("button", name="Preview").click()
    assert "03:00:00 CEST: would run" in page.inner_text("main")
    assert "ran already" in page.inner_text("main")
    page.get_by_role("button", name="Backfill").click()

    assert page.get_by_role("status").inner_text() == "Backfilled 2 runs."
    assert "backfilled" in page.inner_text("main")


def test_an_event_whose_own_code_fails_is_named_without_javascript(site: Site) -> None:
    page = site.page(java_script_enabled=False)

    page.goto(f"{site.url}/act/fire?event=reports.usage")
    page.get_by_role("button", name="Run now").click()

    assert "The event failed" in page.inner_text("main")
    assert "reports.usage: OSError: [Errno 28] No space left on device" in page.inner_text("main")


def test_dead_jobs_are_searched_and_retried_without_javascript(site: Site) -> None:
    page = site.page(java_script_enabled=False)

    page.goto(f"{site.url}/dead")
    page.get_by_label("Class contains").fill("ChargeBuyer")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Retry all that match").click()
    page.get_by_role("button", name="Retry now").click()

    assert "jobs." in page.get_by_role("status").inner_text()
    assert "No job matches" in page.inner_text("main")


def test_keys_reach_the_search_and_the_rows(site: Site) -> None:
    page = site.page()
    page.goto(site.url)
    second = page.locator("#main tbody a.name").nth(1).get_attribute("href") or ""

    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"

    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(site.url.rstrip("/") + second)


def test_the_palette_goes_to_an_event_by_a_part_of_its_name(site: Site) -> None:
    page = site.page()
    page.goto(site.url)

    page.keyboard.press("Control+k")
    page.keyboard.type("digest")
    page.get_by_role("dialog").get_by_role("link", name="daily.digest").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/event?name=daily.digest")

    assert not site.complaints


def test_pages_and_events_are_found_without_javascript(site: Site) -> None:
    page = site.page(java_script_enabled=False)

    page.goto(f"{site.url}/queues")
    page.get_by_role("link", name="Go to").click()
    page.get_by_role("searchbox").fill("metr")
    page.get_by_role("button", name="Search").click()
    page.locator("#main").get_by_role("link", name="Metrics").click()

    assert page.get_by_role("heading", level=1).inner_text() == "Metrics"


def test_a_queue_is_paused_and_searched_without_javascript(site: Site) -> None:
    page = site.page(java_script_enabled=False)

    page.goto(f"{site.url}/queue?name=default")
    page.get_by_role("link", name="Pause").click()
    page.get_by_role("button", name="Pause").click()
    assert page.get_by_role("status").inner_text() == "Paused the queue."
    page.get_by_role("link", name="Resume").click()
    page.get_by_role("button", name="Resume").click()
    page.get_by_label("Class contains").fill("Nothing")
    page.get_by_role("button", name="Search").click()

    assert "No job matches" in page.inner_text("main")


def test_a_page_refreshes_itself(site: Site) -> None:
    page = site.page()
    page.goto(f"{site.url}/audit")
    page.evaluate("document.querySelector('#main h1').dataset.old = 'yes'")

    with page.expect_response(lambda response: response.url.endswith("/audit"), timeout=PATIENCE_MS) as got:
        pass

    assert got.value.status in (200, 304)
    assert not site.complaints
