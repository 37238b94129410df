"""Going to a page, an event or a queue by a part of its name: the command palette, also without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from clock.web.page import MENU, Page, Visit

MOST = 20

#: name in the texts -> path of a page that is not in the menu
OTHERS = {"heat": "/heat", "display": "/display", "keyboard": "/help"}


def show(visit: Visit) -> Page:
    """Pages, events, jobs and queues whose name contains the text."""
    found = list(islice(_found(visit), MOST))
    return Page(
        template="go",
        json=lambda: [{"kind": kind, "name": name, "link": link} for kind, name, link in found],
        view={"found": found, "q": visit.request.get("q")},
        refreshes=False,
    )


def _found(visit: Visit) -> Iterator[tuple[str, str, str]]:
    t, link, text = visit.texts, visit.request.link, visit.request.get("q").strip().lower()
    titles = {t(f"{key}.title"): path for key, path in {**MENU, **OTHERS}.items()}
    yield from (("page", name, link(path)) for name, path in titles.items() if text in name.lower())
    if text:
        names = visit.data.sorted_names()
        yield from (("event", name, link("/event", name=name)) for name in names if text in name.lower())
        queues = (view.name for view in visit.data.status().queues)
        yield from (("queue", name, link("/queue", name=name)) for name in queues if text in name.lower())


PAGES = {"/go": show}
