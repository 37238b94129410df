"""Batches: their progress, and the failures of one."""

from __future__ import annotations

from clock.inspection.jobs.batches import BatchView, batch, batch_json, batches, failures
from clock.web.page import Page, Visit

MOST = 100  # batches, or failures of one, on a page


def show(visit: Visit) -> Page:
    """The batches, the newest first; with the query's `bid` one batch with its failures."""
    redis, bid = visit.data.redis, visit.request.get("bid")
    found = batch(redis, bid) if bid else None
    views = [found] if found else [] if bid else batches(redis)
    failed = [child._asdict() for child in failures(redis, found.bid, MOST)] if found else []
    return Page(
        template="batches",
        section="queues",
        json=lambda: _as_json(views, failed if bid else None),
        view={"batches": views[:MOST], "total": len(views), "failed": failed},
    )


def _as_json(views: list[BatchView], failed: list[dict[str, str]] | None) -> object:
    """The JSON of `clock batches`, or of `clock batches BID` if there are failures to show."""
    rows = [batch_json(view) for view in views[:MOST]]
    if failed is None:
        return rows
    return {**(rows[0] if rows else {}), "failures": failed}


PAGES = {"/batches": show}
