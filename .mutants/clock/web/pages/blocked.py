"""Limits: their maximum, the jobs that hold a place, and those that are blocked."""

from __future__ import annotations

from dataclasses import asdict

from clock.clocks import from_ms
from clock.inspection.jobs.limits import limits
from clock.web.page import Page, Visit

MOST = 100  # limits on a page


def show(visit: Visit) -> Page:
    """The limits by name, as `clock limits list` shows them."""
    views = limits(visit.data.redis)
    oldest = [None if view.oldest_ms is None else from_ms(view.oldest_ms) for view in views[:MOST]]
    return Page(
        template="blocked",
        title=visit.texts("blocked.title"),
        section="queues",
        json=lambda: [asdict(view) for view in views[:MOST]],
        view={"limits": list(zip(views, oldest, strict=False)), "total": len(views)},
    )
