"""What the clock files of these tests run."""

from datetime import datetime

from clock import Job

ran: list[object] = []


class FetchNewsJob(Job):
    def perform(self, topic: str) -> None:
        ran.append(topic)


def note(name: str, due: datetime) -> None:
    ran.append((name, due))
