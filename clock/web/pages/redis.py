"""Redis, and what `clock doctor` finds."""

from __future__ import annotations

from dataclasses import asdict

from clock.inspection.doctor.finding import Grade
from clock.web.page import Page, Visit

ORDER = (Grade.BAD, Grade.WARNING, Grade.GOOD)


def show(visit: Visit) -> Page:
    """The findings, the bad ones first."""
    findings = sorted(visit.data.findings(), key=lambda finding: ORDER.index(finding.grade))
    return Page(
        template="redis",
        json=lambda: [asdict(finding) for finding in findings],
        view={"findings": findings},
        refreshes=False,
    )


PAGES = {"/redis": show}
