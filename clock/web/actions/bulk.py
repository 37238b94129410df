"""All jobs that a search finds: retried, deleted or buried in steps, each of which costs Redis little.

A step is one request. If it did not reach the end, its answer is a page with the progress. The page requests the
next step itself with JavaScript, or by a button without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from clock.inspection import JobFilter, SetName, WaitingSet
from clock.inspection.audit import note_if_possible
from clock.inspection.jobs.pages import after_removal, set_place
from clock.job.payload import seconds
from clock.web.actions.action import Action, Question, back_of, change, field, went_back
from clock.web.actions.jobs import DO, PERMISSIONS
from clock.web.input.inputs import number
from clock.web.input.job_filters import cursor_in, filter_of, set_named
from clock.web.page import NotFound, Page, Visit
from clock.web.request import Response

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


def _place(visit: Visit) -> SetName:
    where = set_named(field(visit, "in"))
    if where is None:
        raise NotFound(field(visit, "in"))
    return where


def _wanted(visit: Visit) -> JobFilter:
    return filter_of(visit, lambda name: field(visit, name))


def _ask(name: str) -> Callable[[Visit], Question]:
    def ask(visit: Visit) -> Question:
        t, where = visit.texts, _place(visit)
        wanted = _wanted(visit)
        place = t(f"place.{where}")
        text = t(f"{name}_jobs.all", place=place) if wanted.accepts_all else t(f"{name}_jobs.found", place=place)
        return Question(
            t(f"{name}_jobs.title"),
            text,
            t(f"{name}_jobs.button"),
            filter_words(wanted),
            is_danger=name == "delete",
        )

    return ask


def filter_words(wanted: JobFilter) -> list[str]:
    """A search in words, a line for each text."""
    named = {"class": wanted.job_class, "error": wanted.error, "arguments": wanted.args, "before": wanted.before}
    found = [f"{name}: {text}" for name, text in named.items() if text is not None]
    return [*found, *(f"jid: {jid}" for jid in wanted.jids or ())]


def _do(name: str) -> Callable[[Visit], Response | Page]:
    def do(visit: Visit) -> Response | Page:
        where, wanted = _place(visit), _wanted(visit)
        place = WaitingSet(visit.data.redis, where)
        progress = _progress(visit, place)
        before = progress.changed
        if name == "delete" and wanted.accepts_all:
            progress.changed, progress.cursor = place.clear(), ""
        else:
            _step(visit, name, place, wanted, progress)
        target = f"{where}: {'; '.join(filter_words(wanted)) or 'all'}"
        made = change(visit, f"{name}_jobs", target, progress.changed - before)
        note_if_possible(visit.data.redis, made)
        if progress.cursor:
            return _progress_page(visit, name, progress)
        return went_back(visit, f"{name}_jobs.{progress.changed}")

    return do


def _progress(visit: Visit, place: WaitingSet) -> Progress:
    changed, looked, total = (number(name, field(visit, name)) for name in ("changed", "looked", "total"))
    return Progress(changed, looked, total or place.size(), cursor_in(field(visit, "cursor")))


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
    fields = [(key, field(visit, key)) for key in kept if field(visit, key)]
    state = asdict(progress)
    return Page(
        template="progress",
        title=visit.texts(f"{name}_jobs.title"),
        section="",
        json=lambda: {"done": False, **state},
        view={
            "name": f"{name}_jobs",
            "fields": [*fields, *((key, str(value)) for key, value in state.items())],
            "progress": progress,
            "back": back_of(visit),
        },
        refreshes=False,
    )


BULK: Mapping[str, Action] = {f"{name}_jobs": Action(PERMISSIONS[name], _ask(name), _do(name)) for name in DO}
