"""A welcome."""

from flask import current_app

from clock import Job


class SendWelcomeJob(Job):
    """Welcomes who has signed up."""

    def perform(self, email: str) -> None:
        """Write to the outbox that the application's configuration names."""
        with current_app.config["OUTBOX"].open("a") as outbox:
            outbox.write(f"welcome {email}\n")
