"""The jobs that wait for a time (`schedule`), for a retry, or have failed for good (`dead`); searching them."""

from __future__ import annotations

from functools import partial

from clock.inspection import SetName
from clock.inspection.jobs.pages import set_place
from clock.web.job_lists import SECTIONS, job_json, job_page
from clock.web.page import Page, Visit

DECODED = 1_000  # jobs that one page of a search looks at, if each must be decoded here


def show(where: SetName, visit: Visit) -> Page:
    """The jobs of a set, the next one first; of `dead` the latest first."""
    section, place = SECTIONS[where], set_place(visit.data.redis, where)
    found, view = job_page(visit, place, order="last" if where == "dead" else "first", decoded=DECODED)
    return Page(
        template="job_set",
        title=visit.texts(f"{section}.title"),
        section=section,
        json=lambda: {
            "size": found.total,
            "searched": found.searched,
            "cursor": found.cursor,
            "jobs": [job_json(visit, job) for job in found.jobs],
        },
        view={**view, "where": where, "key": section},
    )


PAGES = {f"/{section}": partial(show, where) for where, section in SECTIONS.items()}
