"""Which set, which jobs and which part of them a query or a form means."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clock.inspection import JobFilter, SetName
from clock.inspection.jobs.pages import cursor_of
from clock.web.input.inputs import BadInput, date_or_time
from clock.web.page import Visit

#: set -> its entry in the menu
SECTIONS: Mapping[SetName, str] = {"schedule": "scheduled", "retry": "retries", "dead": "dead"}

START = ":0:4"  # a cursor that reads few jobs at first: they may be large


def cursor_in(text: str) -> str:
    """The cursor of a page; the start if the text is empty. Raises InvalidCursor."""
    return str(cursor_of(text)) if text else START


def set_named(name: str) -> SetName | None:
    """The set with this name, or None for another name."""
    return next((where for where in SECTIONS if where == name), None)


def filter_of(visit: Visit, field: Callable[[str], str]) -> JobFilter:
    """The jobs that fields of a query or a form ask for. Raises BadInput.

    A search in arguments reveals them, so it needs the permission to see them.
    """
    if field("args").strip() and not visit.access.see_arguments:
        raise BadInput(visit.texts("search.hidden_args"), 403)
    jid, job_class = field("jid").strip(), field("class").strip()
    before = date_or_time("before", field("before"), visit.now)
    is_pattern = "*" in job_class or "?" in job_class
    return JobFilter(
        jids=frozenset([jid]) if jid else None,
        job_class=(job_class if is_pattern else f"*{job_class}*") if job_class else None,
        args=field("args").strip() or None,
        error=field("error").strip() or None,
        before=None if before is None else before.timestamp(),
    )
