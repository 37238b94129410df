"""All jobs that a search finds: retried, deleted or buried in steps, each of which costs Redis little.

A step is one request. If it did not reach the end, its answer is a page with the progress. The page requests the
next step itself with JavaScript, or by a button without.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial

from clock.inspection import JobFilter, SetName, WaitingSet
from clock.inspection.jobs.pages import after_removal, set_place
from clock.job.payload import seconds
from clock.web.action import Action, Question, back_of, note, question, went_back
from clock.web.http import Response
from clock.web.inputs import number
from clock.web.job_lists import cursor_in, filter_of, set_named
from clock.web.page import NotFound, Page, Visit
from clock.web.pages.job import DO, PERMISSIONS

STEP_SECONDS = 0.5
STEP_JOBS = 5_000
AT_ONCE = 1_000  # jobs that are read and changed before the time is looked at


@dataclass(slots=True)
class Progress:
    """The progress of the steps: jobs changed, jobs read, and the number of jobs at the start.

    `cursor` is the start of the next step; empty at the end.
    """

    changed: int
    looked: int
    total: int
    cursor: str


def _set(visit: Visit) -> SetName:
    where = set_named(visit.field("in"))
    if where is None:
        raise NotFound(visit.field("in"))
    return where


def _ask(name: str, visit: Visit) -> Question:
    wanted, place = filter_of(visit), visit.texts(f"place.{_set(visit)}")
    text = f"{name}_jobs.all" if wanted.accepts_all else f"{name}_jobs.found"
    words, is_danger = filter_words(wanted), name == "delete"
    return question(visit, f"{name}_jobs", words, text=text, is_danger=is_danger, place=place)


def filter_words(wanted: JobFilter) -> list[str]:
    """A search in words, a line for each text."""
    named = {"class": wanted.job_class, "error": wanted.error, "arguments": wanted.args, "before": wanted.before}
    found = [f"{name}: {text}" for name, text in named.items() if text is not None]
    return [*found, *(f"jid: {jid}" for jid in wanted.jids or ())]


def _do(name: str, visit: Visit) -> Response | Page:
    where, wanted = _set(visit), filter_of(visit)
    place = WaitingSet(visit.data.redis, where)
    progress = _progress(visit, place)
    before = progress.changed
    if name == "delete" and wanted.accepts_all:
        progress.changed, progress.cursor = place.clear(), ""
    else:
        _step(visit, name, place, wanted, progress)
    note(visit, f"{name}_jobs", f"{where}: {'; '.join(filter_words(wanted)) or 'all'}", progress.changed - before)
    return (
        _progress_page(visit, name, progress)
        if progress.cursor
        else went_back(visit, f"{name}_jobs", progress.changed)
    )


def _progress(visit: Visit, place: WaitingSet) -> Progress:
    changed, looked, total = (number(name, visit.field(name)) for name in ("changed", "looked", "total"))
    return Progress(changed, looked, total or place.size(), cursor_in(visit.field("cursor")))


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


ACTIONS = {f"{name}_jobs": Action(PERMISSIONS[name], partial(_ask, name), partial(_do, name)) for name in DO}
