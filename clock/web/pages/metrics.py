"""Throughput, failures and run time by class, with marks for releases and deploys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from clock.inspection.audit import release_changes
from clock.inspection.jobs.metrics import SPANS, Figures, Lateness, deploys, figures, lateness, run_times
from clock.web.charts.plot import Stretch
from clock.web.inputs import choice
from clock.web.page import Page, Visit

MOST_CLASSES = 100
MOST_RELEASES = 20  # that are marked
MOST_DEPLOYS = 50  # marks, the latest ones


def show(visit: Visit) -> Page:
    """The figures of a span; of one class, if the query names it, with its run times in the last hour."""
    name = choice("span", visit.request.get("span"), SPANS) or "1h"
    job_class = visit.request.get("class")
    span = SPANS[name]
    found = figures(visit.data.redis, span, visit.now, job_class)
    times = run_times(visit.data.redis, job_class, visit.now) if job_class else []
    late = [] if job_class else lateness(visit.data.redis, span, visit.now)
    first, last = found.series[0][0], found.series[-1][0] + timedelta(minutes=span.minutes)
    releases = [one for one in release_changes(visit.data.redis, MOST_RELEASES) if first <= one.at <= visit.now]
    marked = deploys(visit.data.redis, first, visit.now)[-MOST_DEPLOYS:]
    lines = sorted([*marked, *((one.at, visit.texts("metrics.release", name=one.release)) for one in releases)])
    return Page(
        template="metrics",
        json=lambda: {
            "span": name,
            "class": job_class or None,
            **_figures_as_json(found),
            "lateness": [_lateness_as_json(at, one) for at, one in late if one.runs],
            "run_times": [{"seconds": end, "count": count} for end, count in times],
            "releases": [{"at": one.at.isoformat(), "release": one.release} for one in releases],
            "deploys": [{"at": at.isoformat(), "label": label} for at, label in marked],
        },
        view={
            "span": name,
            "spans": list(SPANS),
            "job_class": job_class,
            "classes": found.classes[:MOST_CLASSES],
            "left_out": max(0, len(found.classes) - MOST_CLASSES),
            "series": found.series,
            "minutes": span.minutes,
            "times": times,
            "lines": lines,
            "stretch": Stretch(first, last, visit.zone, lines),
            "late": late,
            "late_total": _together(late),
            "peak": max(ran for _, ran, _ in found.series),
            "processed": sum(ran for _, ran, _ in found.series),
            "failed": sum(failed for _, _, failed in found.series),
        },
    )


def _figures_as_json(found: Figures) -> Mapping[str, object]:
    series = [{"at": at.isoformat(), "processed": ran, "failed": failed} for at, ran, failed in found.series]
    return {"classes": [asdict(one) for one in found.classes[:MOST_CLASSES]], "series": series}


def _lateness_as_json(at: datetime, one: Lateness) -> Mapping[str, object]:
    quantiles = {"p50_ms": one.quantile(0.5), "p95_ms": one.quantile(0.95), "max_ms": one.max_ms}
    return {"at": at.isoformat(), "runs": one.runs, **quantiles}


def _together(late: Sequence[tuple[datetime, Lateness]]) -> Lateness:
    found = Lateness()
    for _, one in late:
        found.merge(one)
    return found


PAGES = {"/metrics": show}
