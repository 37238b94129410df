"""Redis, and what `clock doctor` finds."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from clock.inspection import Circumstances, Grade, examine
from clock.web.page import Page, Visit

CONNECTIONS_PER_WORKER = 12  # its threads, ten by default, and two more

ORDER = (Grade.BAD, Grade.WARNING, Grade.GOOD)


def show(visit: Visit) -> Page:
    """The findings, the bad ones first."""
    source = visit.data.source
    found = examine(source.redis, Circumstances(source.url, timedelta(0), CONNECTIONS_PER_WORKER))
    findings = sorted(found, key=lambda finding: ORDER.index(finding.grade))
    return Page(
        template="server",
        title=visit.texts("server.title"),
        section="redis",
        json=[asdict(finding) for finding in findings],
        view={"findings": findings, "bad": sum(finding.grade is Grade.BAD for finding in findings)},
        refreshes=False,
    )
