"""Pages about the dashboard itself: its theme and time zone, which everybody may choose, and its keys."""

from __future__ import annotations

from functools import partial
from zoneinfo import available_timezones

from clock.web.action import Action, question, redirect
from clock.web.http import Response, cookie
from clock.web.inputs import BadInput, choice
from clock.web.page import THEME_COOKIE, THEMES, ZONE_COOKIE, Page, Visit, zone_named

KEYS = ("search", "palette", "rows", "open", "go", "help")
YEAR_SECONDS = 365 * 24 * 3600


def display(visit: Visit) -> Page:
    """Choose theme and time zone; cookies keep them."""
    zone = str(visit.zone)
    return Page(
        template="display",
        json=lambda: {"zone": zone, "theme": visit.theme or "system"},
        view={"zone": zone, "zones": sorted(available_timezones()), "themes": ("", *THEMES)},
        refreshes=False,
    )


def keyboard(visit: Visit) -> Page:
    """The keys and their actions."""
    return Page(
        template="keyboard",
        json=lambda: {key: visit.texts(f"keyboard.{key}") for key in KEYS},
        view={"keys": KEYS},
        refreshes=False,
    )


def _choose(visit: Visit) -> Response:
    theme, zone = choice("theme", visit.field("theme"), THEMES), visit.field("zone")
    if zone and zone_named(zone) is None:
        raise BadInput(visit.texts("display.bad_zone", zone=zone))
    values = {THEME_COOKIE: theme, ZONE_COOKIE: zone}
    made = (cookie(visit.request, name, value, seconds=YEAR_SECONDS) for name, value in values.items())
    return redirect(visit, *made)


PAGES = {"/display": display, "/help": keyboard}
ACTIONS = {"display": Action(None, partial(question, key="display"), _choose)}
