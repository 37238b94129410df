"""The clocks and the workers that live; quieting and stopping workers, and having them log their threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from clock.api import Workers
from clock.web.action import Action, Question, done, question
from clock.web.http import Response
from clock.web.page import NotFound, Page, Visit

MOST_WORKERS = 100


def show(visit: Visit) -> Page:
    """Clocks, the leader first, and workers, those with problems first."""
    status = visit.data.status()
    workers = sorted(
        status.workers, key=lambda worker: (not worker.problems and not worker.frozen, worker.identity)
    )
    return Page(
        template="processes",
        json=lambda: {
            "clocks": [asdict(clock) for clock in status.clocks],
            "workers": [asdict(worker) for worker in status.workers],
        },
        view={
            "clocks": status.clocks,
            "workers": workers[:MOST_WORKERS],
            "total": len(workers),
            "problems": status.problems,
        },
    )


def _worker(visit: Visit) -> str:
    """The worker that is meant. Raises NotFound."""
    identity = visit.field("worker")
    if all(worker.identity != identity for worker in visit.data.status().workers):
        raise NotFound(visit.texts("worker.missing", worker=identity))
    return identity


def _ask(key: str, visit: Visit) -> Question:
    return question(visit, key, [_worker(visit)], is_danger=key == "stop_worker")


def _do(key: str, act: Callable[[Workers, str], object], visit: Visit) -> Response:
    identity = _worker(visit)
    act(Workers(redis=visit.data.redis), identity)
    return done(visit, key, identity)


PAGES = {"/processes": show}
ACTIONS = {
    key: Action("quiet", partial(_ask, key), partial(_do, key, act))
    for key, act in (
        ("quiet_worker", Workers.quiet),
        ("stop_worker", Workers.stop),
        ("threads_worker", Workers.dump),
    )
}
