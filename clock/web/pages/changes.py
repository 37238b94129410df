"""Changes, the latest first: of the timetable with each release, and those that people made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clock.inspection.audit import KINDS, AuditEntry, ReleaseChange, changes, release_changes
from clock.inspection.opening import Redis
from clock.web.inputs import entry_id
from clock.web.page import Page, Visit


def show(visit: Visit) -> Page:
    """The releases that led, and what each changed in the timetable. Raises InvalidCursor."""
    return _latest(visit, "changes", release_changes, on_a_page=20, kinds=KINDS)


def show_audit(visit: Visit) -> Page:
    """The changes that people made in the dashboard or on the command line. Raises InvalidCursor."""
    return _latest(visit, "audit", changes, on_a_page=50)


def _latest(
    visit: Visit,
    name: str,
    read: Callable[[Redis, int, str], Sequence[AuditEntry | ReleaseChange]],
    *,
    on_a_page: int,
    **view: object,
) -> Page:
    before = entry_id(visit.request.get("before"))
    found = read(visit.data.redis, on_a_page + 1, before)
    shown, more = found[:on_a_page], len(found) > on_a_page
    next_link = visit.request.link(f"/{name}", before=shown[-1].id) if more else None
    return Page(
        template=name,
        title=visit.texts(f"{name}.title"),
        section=name,
        json=lambda: [entry.as_json() for entry in shown],
        view={"entries": shown, "next_link": next_link, **view},
    )


PAGES = {"/changes": show, "/audit": show_audit}
