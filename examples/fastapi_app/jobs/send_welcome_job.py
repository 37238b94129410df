"""A welcome."""

import asyncio
from pathlib import Path

from clock import Job


class SendWelcomeJob(Job):
    """Welcomes who has signed up."""

    async def perform(self, email: str) -> None:
        """Write to the outbox, off the event loop."""
        await asyncio.to_thread(_write, f"welcome {email}\n")


def _write(line: str) -> None:
    with Path("outbox.txt").open("a") as outbox:
        outbox.write(line)
