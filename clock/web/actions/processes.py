"""Quieting and stopping workers, and having them log what their threads do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clock.api import Workers
from clock.web.actions.action import Action, Question, change, done, field, question
from clock.web.page import NotFound, Page, Visit
from clock.web.request import Response

SIGNALS: Mapping[str, Callable[[Workers, str], object]] = {
    "quiet": Workers.quiet,
    "stop": Workers.stop,
    "threads": Workers.dump,
}


def _worker(visit: Visit) -> str:
    identity = field(visit, "worker")
    if all(worker.identity != identity for worker in visit.data.status().workers):
        raise NotFound(visit.texts("worker.missing", worker=identity))
    return identity


def _ask(name: str) -> Callable[[Visit], Question]:
    def ask(visit: Visit) -> Question:
        return question(visit, f"{name}_worker", [_worker(visit)], is_danger=name == "stop")

    return ask


def _do(name: str) -> Callable[[Visit], Response | Page]:
    def do(visit: Visit) -> Response | Page:
        identity = _worker(visit)
        SIGNALS[name](Workers(redis=visit.data.redis), identity)
        return done(visit, f"{name}_worker", change(visit, f"{name}_worker", identity))

    return do


PROCESSES: Mapping[str, Action] = {f"{name}_worker": Action("quiet", _ask(name), _do(name)) for name in SIGNALS}
