"""Pictures of the dashboard for the README and the guide: `make screenshots` writes them to docs/images/.

    python -m tests.web.screenshots [FOLDER]

The pictures show the month of the browser tests, in light at 1,400 px and in dark at 360 px.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.web.site import Site, served

FOLDER = Path(__file__).parents[2] / "docs" / "images"
#: name of the picture -> page
PAGES: Mapping[str, str] = {
    "schedules": "/",
    "timeline": "/timeline",
    "event": "/event?name=daily.digest",
    "forecast": "/forecast?slots=1",
    "changes": "/changes",
    "metrics": "/metrics?span=24h",
    "heat": "/heat",
}
SMALL = ("schedules", "event", "heat", "forecast")  # that are also taken in dark at 360 px


def main() -> None:
    """Write a picture of each page in each view."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with served() as site:
        _take(site, folder, PAGES, "light", 1400)
        _take(site, folder, {name: PAGES[name] for name in SMALL}, "dark", 360)


def _take(site: Site, folder: Path, pages: Mapping[str, str], theme: str, width: int) -> None:
    page = site.page(viewport={"width": width, "height": 800}, color_scheme=theme)
    for name, path in pages.items():
        page.goto(site.url + path)
        end = "" if theme == "light" else f"-{theme}-{width}"
        page.screenshot(path=str(folder / f"dashboard-{name}{end}.png"))


if __name__ == "__main__":
    main()
