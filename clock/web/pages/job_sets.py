"""The jobs that wait for a time (`schedule`), for a retry, or have failed for good (`dead`); searching them.

All jobs that a search finds are retried, deleted or buried in steps, each of which costs Redis little. A step is
one request. If it did not reach the end, its answer is a page with the progress. The page requests the next step
itself with JavaScript, or by a button without.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial

from clock.inspection.jobs.job_sets import SetName, WaitingSet
from clock.inspection.jobs.jobs import JobFilter
from clock.inspection.jobs.pages import after_removal, set_place
from clock.job.payload import seconds
from clock.web.action import Action, Question, back_of, note, went_back
from clock.web.http import Response
from clock.web.inputs import number
from clock.web.job_lists import SECTIONS, cursor_in, filter_of, job_json, job_page, set_named
from clock.web.page import NotFound, Page, Visit
from clock.web.pages.job import DO, PERMISSIONS

DECODED = 1_000  # jobs that one page of a search looks at, if each must be decoded here
STEP_SECONDS = 0.5
STEP_JOBS = 5_000
AT_ONCE = 1_000  # jobs that are read and changed before the time is looked at

Found = tuple[SetName, JobFilter]


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


@dataclass(slots=True)
class Progress:
    """The progress of the steps: jobs changed, jobs read, and the number of jobs at the start.

    `cursor` is the start of the next step; empty at the end.
    """

    changed: int
    looked: int
    total: int
    cursor: str


def _find(visit: Visit) -> Found:
    """The set that is meant, and the jobs in it. Raises NotFound, BadInput."""
    where = set_named(visit.field("in"))
    if where is None:
        raise NotFound(visit.field("in"))
    return where, filter_of(visit)


def _ask(name: str, visit: Visit, found: Found) -> Question:
    where, wanted = found
    text = f"{name}_jobs.all" if wanted.accepts_all else f"{name}_jobs.found"
    return Question(_words(wanted), {"place": visit.texts(f"place.{where}")}, text=text)


def _words(wanted: JobFilter) -> list[str]:
    """A search in words, a line for each text."""
    named = {"class": wanted.job_class, "error": wanted.error, "arguments": wanted.args, "before": wanted.before}
    found = [f"{name}: {text}" for name, text in named.items() if text is not None]
    return [*found, *(f"jid: {jid}" for jid in wanted.jids or ())]


def _do(name: str, visit: Visit, found: Found) -> Response | Page:
    where, wanted = found
    place = WaitingSet(visit.data.redis, where)
    changed, looked, total = (number(name, visit.field(name)) for name in ("changed", "looked", "total"))
    progress = Progress(changed, looked, total or place.size(), cursor_in(visit.field("cursor")))
    if name == "delete" and wanted.accepts_all:
        progress.changed, progress.cursor = place.clear(), ""
    else:
        _step(visit, name, place, wanted, progress)
    note(visit, f"{name}_jobs", f"{where}: {'; '.join(_words(wanted)) or 'all'}", progress.changed - changed)
    return (
        _progress_page(visit, name, progress)
        if progress.cursor
        else went_back(visit, f"{name}_jobs", progress.changed)
    )


def _step(visit: Visit, name: str, place: WaitingSet, wanted: JobFilter, progress: Progress) -> None:
    clock, reader = visit.data.source.clock, set_place(visit.data.redis, place.name)
    end, most, now = clock.monotonic() + STEP_SECONDS, progress.changed + STEP_JOBS, seconds(visit.now)
    while progress.cursor and progress.changed < progress.total:  # a job that fails again comes back
        page = reader.page(wanted, now=now, cursor=progress.cursor, limit=AT_ONCE, scan=AT_ONCE)
        progress.changed += DO[name](place, page.jobs, now) if page.jobs else 0
        progress.looked = min(progress.total, progress.looked + page.searched)
        progress.cursor = after_removal(page.cursor, page.jobs) if page.cursor else ""
        if clock.monotonic() > end or progress.changed >= most:
            return
    progress.cursor = ""


def _progress_page(visit: Visit, name: str, progress: Progress) -> Page:
    kept = ("in", "class", "args", "error", "jid", "before", "back")
    fields = [(key, visit.field(key)) for key in kept if visit.field(key)]
    state = asdict(progress)
    return Page(
        template="progress",
        title=visit.texts(f"{name}_jobs.title"),
        json=lambda: {"done": False, **state},
        view={
            "name": f"{name}_jobs",
            "fields": [*fields, *((key, str(value)) for key, value in state.items())],
            "progress": progress,
            "back": back_of(visit),
        },
        refreshes=False,
    )


PAGES = {f"/{section}": partial(show, where) for where, section in SECTIONS.items()}
ACTIONS = {
    f"{name}_jobs": Action(
        PERMISSIONS[name], partial(_do, name), _find, partial(_ask, name), is_danger=name == "delete"
    )
    for name in DO
}
