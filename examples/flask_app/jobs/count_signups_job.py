"""How many there are."""

from flask import current_app

from clock import Job


class CountSignupsJob(Job):
    """Says how many have signed up."""

    def perform(self) -> None:
        """Count the lines of the outbox."""
        outbox = current_app.config["OUTBOX"]
        self.logger.info("%d signed up", len(outbox.read_text().splitlines()) if outbox.exists() else 0)
