"""Deploy marks: lines with a label on the charts of the dashboard, and of Sidekiq's page Metrics."""

from __future__ import annotations

import asyncio
from datetime import datetime

from clock.api.connecting import connected, instant
from clock.store import Redis
from clock.store.jobs import deploy_marks


def mark_deploy(label: str, at: datetime | None = None, *, redis: Redis | None = None) -> bool:
    """Mark a deploy at `at` (aware; None: now), as Sidekiq's `Deploy.mark!` does. Marks are kept for 90 days.

    A minute has one mark, and a label is marked once a minute, so every process of a deploy may call this. False:
    there is one already. Raises ValueError for an empty label or a time without a zone, and StoreUnavailable.
    """
    if not label.strip():
        raise ValueError("the label of a deploy mark is empty: give the release or the change")
    if at is not None and at.tzinfo is None:
        raise ValueError("the time of a deploy mark has no zone: use datetime.now(UTC), for example")
    return deploy_marks.mark(connected(redis), label, at or instant())


async def amark_deploy(label: str, at: datetime | None = None, *, redis: Redis | None = None) -> bool:
    """`mark_deploy` that does not block the event loop."""
    return await asyncio.to_thread(mark_deploy, label, at, redis=redis)
