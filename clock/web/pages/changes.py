"""The releases that led, and what each changed in the timetable."""

from __future__ import annotations

from clock.inspection.events.releases import KINDS, release_changes
from clock.web.input.inputs import entry_id
from clock.web.page import Page, Visit

ON_A_PAGE = 20


def show(visit: Visit) -> Page:
    """The releases, the latest first. Raises InvalidCursor."""
    before = entry_id(visit.request.get("before"))
    found = release_changes(visit.data.redis, ON_A_PAGE + 1, before)
    shown, more = found[:ON_A_PAGE], len(found) > ON_A_PAGE
    return Page(
        template="changes",
        title=visit.texts("changes.title"),
        section="changes",
        json=lambda: [change.as_json() for change in shown],
        view={
            "releases": shown,
            "kinds": KINDS,
            "next_link": visit.request.link("/changes", before=shown[-1].id) if more else None,
        },
    )
