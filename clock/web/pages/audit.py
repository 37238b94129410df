"""Who changed what by hand, in the dashboard or on the command line."""

from __future__ import annotations

from clock.inspection.audit import changes
from clock.web.input.inputs import entry_id
from clock.web.page import Page, Visit

ON_A_PAGE = 50


def show(visit: Visit) -> Page:
    """The changes made by hand, the latest first. Raises InvalidCursor."""
    before = entry_id(visit.request.get("before"))
    entries = changes(visit.data.redis, ON_A_PAGE + 1, before)
    shown, more = entries[:ON_A_PAGE], len(entries) > ON_A_PAGE
    return Page(
        template="audit",
        title=visit.texts("audit.title"),
        section="audit",
        json=lambda: [entry.as_json() for entry in shown],
        view={"entries": shown, "next_link": visit.request.link("/audit", before=shown[-1].id) if more else None},
    )
