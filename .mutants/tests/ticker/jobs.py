"""What the clock files of these tests run."""

from collections.abc import Callable
from datetime import datetime

from clock import Job

ran: list[object] = []


class FetchNewsJob(Job):
    def perform(self, topic: str) -> None:
        ran.append(topic)


def note(name: str, due: datetime) -> None:
    ran.append((name, due))


hooks: dict[str, Callable[[], object]] = {}


def slow() -> object:
    """What a test has put there: an action or a condition that takes its time."""
    return hooks["slow"]()


rows: list[dict[str, object]] = []


def find_rows() -> list[dict[str, object]]:
    """The rows of the tests' table; a row that says so stands for a database that is away."""
    if rows and "no database" in rows[0]:
        raise RuntimeError("no database")
    return [dict(row) for row in rows]


def load_rows() -> list[dict[str, object]]:
    """What the clock files of the tests name as their source."""
    return find_rows()
