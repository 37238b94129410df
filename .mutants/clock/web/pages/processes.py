"""The clocks and the workers that live."""

from __future__ import annotations

from dataclasses import asdict

from clock.web.page import Page, Visit

MOST_WORKERS = 100


def show(visit: Visit) -> Page:
    """Clocks, the leader first, and workers, those with problems first."""
    status = visit.data.status()
    workers = sorted(
        status.workers, key=lambda worker: (not worker.problems and not worker.frozen, worker.identity)
    )
    return Page(
        template="processes",
        title=visit.texts("processes.title"),
        section="processes",
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
