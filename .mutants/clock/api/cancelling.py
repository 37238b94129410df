"""Cancelling a job by its id."""

from __future__ import annotations

import asyncio

from clock.api.job_ref import JobRef


def cancel(jid: str) -> bool:
    """Cancel a job: delete it if it waits, ask it to end if it runs. False: it is done or never was.

    `JobRef(jid).cancel()` with the process's own connection. Raises SearchIncomplete, StoreUnavailable.
    """
    return JobRef(jid).cancel()


async def acancel(jid: str) -> bool:
    """`cancel` that does not block the event loop."""
    return await asyncio.to_thread(cancel, jid)
