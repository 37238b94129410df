"""A visit to a page, and what a page gives: data for programs, and more for its template."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import ClassVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from clock.web.access import Access
from clock.web.data import Data
from clock.web.http import Request
from clock.web.inputs import number
from clock.web.texts import TEXTS, Texts

EVENTS_ON_A_PAGE = 25
ZONE_COOKIE = "clock_zone"
FORM_FIELD = "form"  # of a form: its id, with which it is carried out once
THEME_COOKIE = "clock_theme"
THEMES = ("light", "dark")

#: section of the menu -> its path
MENU: Mapping[str, str] = {"schedules": "/"} | {
    section: f"/{section}"
    for section in (
        *("timeline", "forecast", "changes", "queues", "busy", "scheduled", "retries", "dead"),
        *("metrics", "processes", "redis", "audit"),
    )
}


@dataclass(frozen=True)
class Visit:
    """One request for a page, by a visitor with access."""

    request: Request
    access: Access
    data: Data
    now: datetime
    token: str
    texts: ClassVar[Texts] = TEXTS

    def field(self, name: str) -> str:
        """The first value of a field; empty without one."""
        return next(iter(self.fields(name)), "")

    def fields(self, name: str) -> Sequence[str]:
        """The values of a field of the submitted form, or else of the query."""
        return (self.request.form if self.request.method == "POST" else self.request.query).get(name, ())

    @property
    def here(self) -> str:
        """A link to this page, with its query; of a form that was sent, to the page that it came from."""
        return self.link()

    def link(self, **more: str) -> str:
        """A link to this page with more fields in its query."""
        query = {name: values for name, values in self.request.query.items() if name != "format"}
        text = urlencode({**query, **more}, doseq=True, errors="replace")
        return self.request.link(self.request.path) + (f"?{text}" if text else "")

    @property
    def zone(self) -> tzinfo:
        """The viewer's time zone; UTC until the viewer chooses one."""
        return zone_named(self.request.cookies.get(ZONE_COOKIE, "")) or UTC

    @property
    def theme(self) -> str:
        """The theme that the viewer has fixed; empty: the system's theme."""
        found = self.request.cookies.get(THEME_COOKIE, "")
        return found if found in THEMES else ""


@dataclass(frozen=True)
class Page:
    """The content of a page.

    `template` is its file without `.html`. `json` returns the page's data for programs, sent with `json_headers`;
    `view` has the other values of the template. `title` is the text `TEMPLATE.title`, and `section`, its entry in
    the menu, that of its template, unless given. `refreshes`: the page reloads itself every few seconds.
    """

    template: str
    json: Callable[[], object]
    view: Mapping[str, object]
    title: str = ""
    section: str = ""
    refreshes: bool = True
    json_headers: Mapping[str, str] = field(default_factory=dict)


class NotFound(Exception):
    """The page, event, queue or job `what` does not exist."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


Show = Callable[[Visit], Page]


def part_of(visit: Visit, names: Sequence[str]) -> tuple[Sequence[str], Mapping[str, int | None]]:
    """The events from the query's `first` on; beyond the end of the list, its last page. Raises BadInput.

    And their number, and the places in the list of this page, of the one before and of the next one, None without.
    """
    total, asked = len(names), number("first", visit.request.get("first"))
    first = min(asked, max(0, total - 1) // EVENTS_ON_A_PAGE * EVENTS_ON_A_PAGE)
    following = first + EVENTS_ON_A_PAGE
    return names[first:following], {
        "total": total,
        "first": first,
        "before": max(0, first - EVENTS_ON_A_PAGE) if first else None,
        "following": following if following < total else None,
    }


def zone_named(name: str) -> tzinfo | None:
    """The zone of that name; None: not found."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
