"""What the clock files of these tests enqueue and call."""

from collections.abc import AsyncIterator, Iterator
from datetime import date

from clock import Job


class SendLetterJob(Job):
    def perform(self, address: str, copies: int = 1) -> None: ...


class NoJob:
    def perform(self) -> None: ...


def holidays(day: date) -> bool:
    return day == date(2026, 12, 25)


calls: list[tuple[object, ...]] = []


def act(*args: object, **kwargs: object) -> None:
    calls.append((*args, kwargs) if kwargs else args)


async def wait(*_: object) -> None: ...


class Waiter:
    async def __call__(self) -> None: ...


def give() -> Iterator[int]:
    yield 1


async def stream() -> AsyncIterator[int]:
    yield 1
