"""Batches: their progress, and the failures of one. Limits: the jobs that hold a place or are blocked."""

from __future__ import annotations

from dataclasses import asdict

from clock.api import Limits
from clock.inspection.jobs.batches import BatchView, batch, batch_json, batches, failures
from clock.inspection.jobs.limits import limits
from clock.web.action import Action, Change, Input, Question
from clock.web.inputs import number
from clock.web.page import NotFound, Page, Visit

MOST_BATCHES = 100  # on a page, or failures of one
MOST_LIMITS = 100  # on a page


def show_batches(visit: Visit) -> Page:
    """The batches, the newest first; with the query's `bid` one batch with its failures."""
    redis, bid = visit.data.redis, visit.request.get("bid")
    found = batch(redis, bid) if bid else None
    views = [found] if found else [] if bid else batches(redis)
    failed = [child._asdict() for child in failures(redis, found.bid, MOST_BATCHES)] if found else []
    return Page(
        template="batches",
        section="queues",
        json=lambda: _batches_json(views, failed if bid else None),
        view={"batches": views[:MOST_BATCHES], "total": len(views), "failed": failed},
    )


def _batches_json(views: list[BatchView], failed: list[dict[str, str]] | None) -> object:
    """The JSON of `clock batches`, or of `clock batches BID` if there are failures to show."""
    rows = [batch_json(view) for view in views[:MOST_BATCHES]]
    if failed is None:
        return rows
    return {**(rows[0] if rows else {}), "failures": failed}


def show_limits(visit: Visit) -> Page:
    """The limits by name, as `clock limits list` shows them."""
    views = limits(visit.data.redis, shown=MOST_LIMITS)
    return Page(
        template="blocked",
        section="queues",
        json=lambda: [asdict(view) for view in views[:MOST_LIMITS]],
        view={"limits": views[:MOST_LIMITS], "total": len(views)},
    )


def _name(visit: Visit) -> str:
    """The limit that is meant. Raises NotFound."""
    name = visit.field("name")
    if all(view.name != name for view in Limits(redis=visit.data.redis).current()):
        raise NotFound(visit.texts("set_limit.missing", name=name))
    return name


def _ask(visit: Visit, name: str) -> Question:
    t = visit.texts
    return Question(values={"name": name}, inputs=[Input("maximum", t("set_limit.maximum"), t("set_limit.hint"))])


def _set(visit: Visit, name: str) -> Change:
    text, changed = visit.field("maximum").strip(), Limits(redis=visit.data.redis)
    maximum = number("maximum", text)
    if text:
        changed.set_maximum(name, maximum)
    else:
        changed.reset(name)
    return f"{name}: {text or 'as in the code'}", 1


PAGES = {"/batches": show_batches, "/blocked": show_limits}
ACTIONS = {"set_limit": Action("pause", _set, _name, _ask)}
