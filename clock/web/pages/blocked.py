"""Limits: their maximum, the jobs that hold a place, and those that are blocked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from clock.inspection.jobs.limits import limits
from clock.web.page import Page, Show, Visit

MOST = 100  # limits on a page


def show(visit: Visit) -> Page:
    """The limits by name, as `clock limits list` shows them."""
    views = limits(visit.data.redis, shown=MOST)
    return Page(
        template="blocked",
        title=visit.texts("blocked.title"),
        section="queues",
        json=lambda: [asdict(view) for view in views[:MOST]],
        view={"limits": views[:MOST], "total": len(views)},
    )


PAGES: Mapping[str, Show] = {"/blocked": show}
