"""Who changed what by hand, in the dashboard or on the command line."""

from __future__ import annotations

import re

from clock.errors import InvalidCursor
from clock.inspection.audit import changes
from clock.web.page import Page, Visit

ON_A_PAGE = 50
ENTRY = re.compile(r"\d{1,15}-\d{1,15}")


def show(visit: Visit) -> Page:
    """The changes made by hand, the latest first. Raises InvalidCursor."""
    before = visit.request.get("before")
    if before and not ENTRY.fullmatch(before):
        raise InvalidCursor(before)
    entries = changes(visit.data.redis, ON_A_PAGE + 1, before)
    shown, more = entries[:ON_A_PAGE], len(entries) > ON_A_PAGE
    return Page(
        template="audit",
        title=visit.texts("audit.title"),
        section="audit",
        json=lambda: [entry.as_json() for entry in shown],
        view={"entries": shown, "next_link": visit.request.link("/audit", before=shown[-1].id) if more else None},
    )
