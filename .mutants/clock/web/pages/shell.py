"""Pages about the dashboard itself: how it is displayed, and its keys."""

from __future__ import annotations

from zoneinfo import available_timezones

from clock.web.page import THEMES, Page, Visit

KEYS = ("search", "palette", "rows", "open", "go", "help")


def display(visit: Visit) -> Page:
    """Choose theme and time zone; cookies keep them."""
    zone = str(visit.zone)
    return Page(
        template="display",
        title=visit.texts("display.title"),
        section="",
        json=lambda: {"zone": zone, "theme": visit.theme or "system"},
        view={"zone": zone, "zones": sorted(available_timezones()), "themes": ("", *THEMES)},
        refreshes=False,
    )


def keyboard(visit: Visit) -> Page:
    """The keys and their actions."""
    return Page(
        template="keyboard",
        title=visit.texts("keyboard.title"),
        section="",
        json=lambda: {key: visit.texts(f"keyboard.{key}") for key in KEYS},
        view={"keys": KEYS},
        refreshes=False,
    )
