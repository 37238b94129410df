"""The jobs of the month."""

from clock import Job


class RemindPupilsJob(Job):
    """Works."""

    def perform(self, due: str) -> None:
        """Do nothing."""


class RefreshFeedsJob(Job):
    """Works, but now and then it has to be tried again."""

    def perform(self, due: str) -> None:
        """Fail at its first attempt in a few runs."""
        if due[11:13] == "13" and self.attempt == 1:
            raise ConnectionError("feeds.example did not answer")


class ChargeBuyerJob(Job):
    """Fails for good for one customer."""

    retry = 1
    queue = "billing"
    redact = ("card",)
    backtrace = True

    def perform(self, order: str, card: str, cents: int) -> None:
        """Fail."""
        raise TimeoutError(f"the request to /v1/charges timed out after 30 s (order {order})")


class BackUpJob(Job):
    """Takes longer than an hour."""

    def perform(self) -> None:
        """Do nothing."""


class SendInvitationJob(Job):
    """Pushed by an application, for later."""

    def perform(self, user: int) -> None:
        """Do nothing."""
