"""Pages about the dashboard itself: its theme and time zone, which everybody may choose, its keys, its pages.

Going to a page, an event or a queue by a part of its name is the command palette, also without JavaScript.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from zoneinfo import available_timezones

from clock.web.action import Action, nothing, redirect
from clock.web.http import Response, cookie
from clock.web.inputs import BadInput, choice
from clock.web.page import MENU, THEME_COOKIE, THEMES, ZONE_COOKIE, Page, Visit, zone_named

KEYS = ("search", "palette", "rows", "open", "go", "help")
YEAR_SECONDS = 365 * 24 * 3600
MOST_FOUND = 20

#: name in the texts -> path of a page that is not in the menu
OTHERS = {"heat": "/heat", "display": "/display", "keyboard": "/help"}


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


def go(visit: Visit) -> Page:
    """Pages, events, jobs and queues whose name contains the text."""
    found = list(islice(_found(visit), MOST_FOUND))
    return Page(
        template="go",
        json=lambda: [{"kind": kind, "name": name, "link": link} for kind, name, link in found],
        view={"found": found, "q": visit.request.get("q")},
        refreshes=False,
    )


def _found(visit: Visit) -> Iterator[tuple[str, str, str]]:
    t, link, text = visit.texts, visit.request.link, visit.request.get("q").strip().lower()
    titles = {t(f"{key}.title"): path for key, path in {**MENU, **OTHERS}.items()}
    yield from (("page", name, link(path)) for name, path in titles.items() if text in name.lower())
    if text:
        names = visit.data.sorted_names()
        yield from (("event", name, link("/event", name=name)) for name in names if text in name.lower())
        queues = (view.name for view in visit.data.status().queues)
        yield from (("queue", name, link("/queue", name=name)) for name in queues if text in name.lower())


def _choose(visit: Visit, _: None) -> Response:
    theme, zone = choice("theme", visit.field("theme"), THEMES), visit.field("zone")
    if zone and zone_named(zone) is None:
        raise BadInput(visit.texts("display.bad_zone", zone=zone))
    values = {THEME_COOKIE: theme, ZONE_COOKIE: zone}
    made = (cookie(visit.request, name, value, seconds=YEAR_SECONDS) for name, value in values.items())
    return redirect(visit, *made)


PAGES = {"/display": display, "/help": keyboard, "/go": go}
ACTIONS = {"display": Action(None, _choose, nothing)}
