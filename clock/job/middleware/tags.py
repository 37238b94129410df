"""Tags: words that Sidekiq's page shows with a job, and that its log lines carry."""

from __future__ import annotations

from clock.job.payload import Payload
from clock.job.types import RunningJob


def log_tags(job: RunningJob, payload: Payload, queue: str) -> None:
    """Server middleware: the lines that `self.logger` writes carry the payload's tags."""
    if tags := payload.get("tags"):
        job.log_fields["tags"] = tags
