"""Pictures of the dashboard for the README and the guide: `make screenshots` writes them to docs/images/.

    python -m tests.web.screenshots [FOLDER]

The pictures show the month of the browser tests, in light at 1,400 px and in dark at 360 px.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.web.site import Site, served

FOLDER = Path(__file__).parents[2] / "docs" / "images"
#: name of the picture -> page
PAGES = {
    "schedules": "/",
    "timeline": "/timeline",
    "event": "/event?name=daily.digest",
    "why": "/why?name=daily.digest&at=2026-03-29+02:30",
    "changes": "/changes",
    "metrics": "/metrics?span=24h",
    "heat": "/heat",
    "dead": "/dead",
    "queues": "/queues",
}
VIEWS = (("light", 1400, 900), ("dark", 360, 780))


def main() -> None:
    """Write a picture of each page in each view."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with served() as site:
        for theme, width, height in VIEWS:
            _take(site, folder, theme, width, height)


def _take(site: Site, folder: Path, theme: str, width: int, height: int) -> None:
    page = site.page(viewport={"width": width, "height": height}, color_scheme=theme)
    for name, path in PAGES.items():
        page.goto(site.url + path)
        page.screenshot(path=str(folder / f"dashboard-{name}-{theme}-{width}.png"))


if __name__ == "__main__":
    main()
