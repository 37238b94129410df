"""Tags: words that Sidekiq's page shows with a job, and that its log lines carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clock.job.payload import Payload

if TYPE_CHECKING:
    from clock.job.job import Job


def log_tags(job: Job, payload: Payload, queue: str) -> None:
    """Server middleware: the lines that `self.logger` writes carry the payload's tags."""
    if tags := payload.get("tags"):
        job.log_fields["tags"] = tags
